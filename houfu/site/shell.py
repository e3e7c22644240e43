"""The console's shell: who is at the page, in which language, what the menu offers them, and refusals as pages."""

import json
import logging
from collections.abc import Callable
from contextlib import nullcontext
from functools import cached_property
from itertools import groupby
from typing import Any
from urllib.parse import quote

from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils import translation

from houfu.approvals import queries as approvals
from houfu.approvals.models import Request
from houfu.console import words
from houfu.console.pages import LANGUAGE_COOKIE, THEME_COOKIE, Entry, asked_by_htmx, chosen_store, in_drawer
from houfu.console.words import t
from houfu.kernel import db, isolation
from houfu.kernel.errors import NotFound, Refused, Unauthenticated
from houfu.kernel.http import refuse_nul
from houfu.merchants import queries as merchants
from houfu.merchants.models import Merchant
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.people.queries import FactorNeeded
from houfu.people.sign_in.auth import GRANT, StepUpNeeded, identify
from houfu.site import menu, trial
from houfu.site.api import Unexpected

log = logging.getLogger("houfu.console")
CONSOLE = "/console/"
NEXT_MAX = 2000  # characters of an address to which sign-in leads back
PLATFORM = "/console/platform/"  # where the platform's people are themselves, whichever merchant has let them in
GRANT_COOKIE, GRANT_HEADER = "__Host-houfu-grant", f"HTTP_{GRANT.upper().replace('-', '_')}"
# Nothing from elsewhere, nothing inline, in nobody's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# What scripts say, by the name under which they say it.
SCRIPT_WORDS = {
    "step_up": "这一步需要再次验证是本人，验证后会继续。",
    "close": "关闭",
    "unreachable": "服务器暂时没有应答，请稍后再试。",
    "failed": "没有成功，请重试。",
    "files_too_large": "文件合计超过 15 MB，请分批上传，或用命令行导入。",
    "too_many": "尝试过于频繁，请稍后再试。",
    "passkey_failed": "通行密钥没有完成验证，请重试。",
    "passwords_differ": "两次输入的密码不同。",
    "error_username_password_mismatch": "登录名或密码不正确。",
    "error_incorrect_code": "验证码或通行密钥不正确。",
    "error_too_many_login_attempts": "失败次数过多，请稍后再试。",
    "error_unauthenticated": "邀请无效或已过期。",
    "error_people_username_taken": "这个登录名已被使用。",
    "error_people_username_invalid": "登录名须为 3 至 150 个小写字母、数字或 @ . + - _。",
    "error_people_password_weak": "密码太短、太常见或与登录名太像。",
    "error_enter_current_password": "密码不正确。",
    "error_incorrect_password": "密码不正确。",
    "tour": "新手引导",
    "tour_money": "总览：可提现余额、额度使用和等你处理的事。点问号看每个数字怎么来的。",
    "tour_orders": "订单：从授信、发货、收货到结算。点一行看它的经过、凭证和钱的去向。",
    "tour_payouts": "提现：这里排着每笔提现和预计到账时间。点“发起提现”开始一笔。",
    "tour_quote": "边输入边试算：手续费、到账时间、用哪些订单的钱、谁来审批。不能提交时会说明原因和办法。",
    "tour_approvals": "审批：轮到你签署的都在这里。用通行密钥签署的，正是屏幕上显示的内容。",
    "factor_webauthn": "通行密钥",
    "factor_totp": "动态码",
    "factor_recovery_codes": "恢复码",
    "tour_next": "下一步",
    "tour_end": "结束引导",
}


class ConsoleMiddleware:
    """Speaks the reader's language, lets in who may, and shows refusals as pages or into the form that asked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(CONSOLE):
            return self.get_response(request)
        if request.headers.get("X-Houfu-Listening"):
            request.session.touches = False  # type: ignore[attr-defined]  # a page that listens is nobody being there
        asked = request.COOKIES.get(LANGUAGE_COOKIE, "")
        with translation.override(asked if asked in words.LANGUAGES else words.DEFAULT):
            response = self.get_response(request)
        response["Content-Security-Policy"] = POLICY
        response["X-Content-Type-Options"] = "nosniff"
        response["Referrer-Policy"] = "same-origin"
        response["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        if not request.path.startswith(CONSOLE):
            return None
        try:
            if getattr(view, "public", False):
                return view(request, *args, **kwargs)
            if (grant := request.COOKIES.get(GRANT_COOKIE)) and not request.path.startswith(PLATFORM):
                request.META[GRANT_HEADER] = grant
                request.__dict__.pop("headers", None)  # they may have been read before, and are kept then
            refuse_nul(request, kwargs)
            by = identify(request)
            request.auth = by  # type: ignore[attr-defined]
            isolation.enter(by)
            reads = request.method in ("GET", "HEAD") and not getattr(view, "writes", False)
            with db.reading() if reads else nullcontext():
                return view(request, *args, **kwargs)
        except Unauthenticated:
            return _to(request, "/console/sign-in")
        except FactorNeeded:
            return _to(request, "/console/factor")
        except Refused as refusal:
            response = refused(request, refusal)
            if GRANT_HEADER in request.META and not hasattr(request, "auth"):
                response.delete_cookie(GRANT_COOKIE)  # it lets nobody in any more, or never did
            return response
        except Exception as error:
            return refused(request, _told(request, error))


def _told(request: HttpRequest, error: Exception) -> Refused:
    """Return what the database's law is called, and for a fault of ours that it was one; its details go to the log."""
    told = db.translated(error) if isinstance(error, Error) else error
    if isinstance(told, Refused):
        return told
    log.exception("%s %s", request.method, request.path, exc_info=error)
    return Unexpected()


def _to(request: HttpRequest, where: str) -> HttpResponse:
    """Send a page elsewhere, and a part of a page with all that is around it."""
    if not asked_by_htmx(request):
        wanted = quote(request.get_full_path())
        come_back = request.path != CONSOLE and len(wanted) <= NEXT_MAX
        return HttpResponseRedirect(f"{where}?next={wanted}" if come_back else where)
    response = HttpResponse(status=401)
    response["X-Houfu-Go"] = where
    return response


def refused(request: HttpRequest, refusal: Refused) -> HttpResponse:
    """Show a refusal with every reason: in the form that asked, in the drawer, or as a page."""
    shown = {"refusal": words.refusal_shown(refusal)}
    if asked_by_htmx(request) and not in_drawer(request):
        response = render(request, "console/parts/refusal.html", shown, status=refusal.status)
    else:
        known = hasattr(request, "auth")
        frame = "console/drawer.html" if in_drawer(request) else "console/shell.html" if known else "console/entry.html"
        said = {"frame": frame, "title": t("没有成功"), **shown}
        status = 200 if in_drawer(request) else refusal.status
        response = render(request, "console/refused.html", said, status=status)
    if isinstance(refusal, StepUpNeeded) or {each.code for each in refusal.reasons} == {StepUpNeeded.code}:
        response["X-Houfu-Step-Up"] = "1"
    return response


def missing(request: HttpRequest) -> HttpResponse:
    """Say that there is no such page."""
    raise NotFound()


class Shell:
    """What the shell shows around a page; read only where it is shown."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._by: Actor | None = getattr(request, "auth", None)

    @property
    def lang(self) -> str:
        return "en" if words.in_english() else "zh-Hans"

    @cached_property
    def grant(self) -> Any:
        """The access grant by which somebody of the platform is at a merchant's now, if that is so."""
        by = self._by
        return people.access_grant(by.merchant_id or 0, by.grant_id) if by and by.grant_id else None

    @property
    def theme(self) -> str:
        asked = self._request.COOKIES.get(THEME_COOKIE, "")
        return asked if asked in ("light", "dark") else ""

    @property
    def script_words(self) -> str:
        return json.dumps({name: t(said) for name, said in SCRIPT_WORDS.items()}, ensure_ascii=False)

    @property
    def name(self) -> str:
        return self._by.called if self._by else ""

    @property
    def role(self) -> str:
        return self._by.role if self._by else ""

    @cached_property
    def merchant(self) -> str:
        if not self._by or self._by.merchant_id is None:
            return t("平台")
        return str(Merchant.objects.get(merchant_id=self._by.merchant_id).name)

    @cached_property
    def stores(self) -> list[Any]:
        return merchants.stores(self._by, self._by.merchant_id) if self._by and self._by.merchant_id else []

    @property
    def store_id(self) -> int | None:
        return chosen_store(self._request)

    @property
    def may_approve(self) -> bool:
        return bool(self._by and self._by.merchant_id and "approvals:write" in self._by.scopes)

    @cached_property
    def waiting(self) -> list[Request]:
        """What waits for this person to sign, the longest waiting first."""
        by = self._by
        return approvals.inbox(by, by.merchant_id, limit=99) if self.may_approve and by and by.merchant_id else []

    @property
    def tasks(self) -> int:
        return len(self.waiting)

    @property
    def menu(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """The entries that somebody may use, by section."""
        by = self._by
        entries = menu.MERCHANT if by and by.merchant_id else menu.PLATFORM
        seen = [
            each
            for each in entries
            if by and (not each.scopes or each.scopes & by.scopes) and not (each.whole and by.stores is not None)
        ]
        at = self._request.path
        current = next((e.url for e in seen if at == e.url or (e.url != CONSOLE and at.startswith(e.url))), "")
        return [
            (t(section) if section else "", [self._entry(each, current) for each in group])
            for section, group in groupby(seen, lambda each: each.section)
        ]

    def _entry(self, entry: Entry, current: str) -> dict[str, Any]:
        count = self.tasks if entry.url == "/console/approvals" else 0
        return {
            "label": t(entry.label), "url": entry.url, "icon": entry.icon, "count": count,
            "current": entry.url == current,
        }  # fmt: skip

    @cached_property
    def trial_accounts(self) -> list[dict[str, Any]]:
        return trial.grouped()

    @cached_property
    def trial_account(self) -> str:
        """The name by which one of the demo's people has signed in, whose passkey this machine keeps."""
        user = getattr(self._request, "user", None)
        if not self._by or user is None:
            return ""
        return next((each.username for each in trial.accounts() if each.username == user.get_username()), "")


def of(request: HttpRequest) -> Shell:
    """Return the shell around a request's page; what it has read is not read again."""
    found: Shell | None = getattr(request, "shell", None)
    if found is None:
        found = request.shell = Shell(request)  # type: ignore[attr-defined]
    return found


def in_templates(request: HttpRequest) -> dict[str, Any]:
    """Give templates the shell."""
    return {"shell": of(request)}
