"""Pages of approvals: what waits for me, everything that I may see, and signing exactly what the screen shows."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path

from houfu.approvals import actions, queries
from houfu.approvals.assertions import Assertion
from houfu.approvals.models import Request
from houfu.console import words
from houfu.console.pages import PER_PAGE, Form, done, paged, show
from houfu.console.words import label, t
from houfu.kernel.errors import Invalid
from houfu.kernel.http import actor, after, mine
from houfu.kernel.money import yuan
from houfu.people import queries as people

STATES = ("open", "approved", "rejected", "withdrawn", "expired", "void")
HOME = "/console/approvals"


def inbox(request: HttpRequest) -> HttpResponse:
    """List what waits for this person, or all that they may see."""
    by, merchant_id, asked = actor(request), mine(request), request.GET
    mine_alone = asked.get("view", "") != "all" and "approvals:write" in by.scopes
    name = "approvals/inbox" if mine_alone else "approvals"
    said = after(asked.get("cursor"), name)
    place = (datetime.fromisoformat(said[0]), UUID(said[1])) if said else None
    state = asked.get("state", "")
    if mine_alone:
        found = queries.inbox(by, merchant_id, after=place, limit=PER_PAGE + 1)
    else:
        found = queries.requests(
            by, merchant_id, state=state if state in STATES else "", after=place, limit=PER_PAGE + 1
        )
    page = paged(found, name, lambda row: [row.opened_at.isoformat(), row.id])
    return show(
        request,
        "approvals/inbox.html",
        t("审批"),
        page={**page, "items": [_row(each) for each in page["items"]]},
        mine_alone=mine_alone,
        may_sign="approvals:write" in by.scopes,
        states=[(each, label("approval", each)) for each in STATES],
        asked=asked,
    )


def _row(asked: Request) -> dict[str, Any]:
    """Return a request as the listing shows it."""
    payload = json.loads(asked.payload)
    return {
        "asked": asked,
        "noun": asked.subject.partition("/")[0],
        "amount_fen": payload.get("amount_fen"),
        "about": _about(payload),
        "turn_of": label("role", asked.chain[asked.turn]) if asked.state == "open" else "",
    }


def _about(payload: dict[str, Any]) -> str:
    """Return in a few words to whom, or about what."""
    payee = payload.get("payee", payload)
    holder, tail = (payee.get("holder"), payee.get("account_tail")) if isinstance(payee, dict) else (payee, None)
    return " ".join(part for part in (holder or "", f"****{tail}" if tail else "") if part)


def detail(request: HttpRequest, id: UUID) -> HttpResponse:
    """Show what is to be agreed to, who has agreed, and why this person may or may not sign now."""
    by, merchant_id = actor(request), mine(request)
    found = queries.challenge(by, merchant_id, id)
    asked = found.request
    payload = json.loads(asked.payload)
    return show(
        request,
        "approvals/detail.html",
        label("subject", asked.subject.partition("/")[0]),
        crumbs=[(t("审批"), HOME)],
        asked=asked,
        facts=sorted(_facts(payload), key=lambda fact: _place(fact[0])),
        amount_fen=payload.get("amount_fen"),
        about=_about(payload),
        steps=_steps(asked, found.signatures, merchant_id),
        reasons=found.reasons if "approvals:write" in by.scopes and asked.state == "open" else [],
        may_sign="approvals:write" in by.scopes and asked.state == "open" and not found.reasons,
        may_withdraw=asked.state == "open" and by.person == asked.person != "",
        options=_options(request, found),
        by_code=found.totp_allowed and not found.passkeys,
        way=_way_to(asked.subject, payload),
        digest=found.challenge.hex(),
    )


def _place(name: str) -> int:
    """Return where something that is signed stands on the screen: as the names are listed, and others last."""
    known = [label("signed", code) for code in words.labels()["signed"]]
    return known.index(name) if name in known else len(known)


def _facts(payload: dict[str, Any], within: str = "") -> list[tuple[str, str]]:
    """Return everything that is signed, flat, each under its name: nothing of it is left out."""
    found: list[tuple[str, str]] = []
    for name, value in payload.items():
        if isinstance(value, dict):
            found += _facts(value, name)
            continue
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for n, each in enumerate(value, 1):
                shown = "; ".join(f"{called} {said}" for called, said in _facts(each))
                found.append((f"{label('signed', name)} {n}", shown))
            continue
        if name.endswith("_fen") and isinstance(value, int):
            value = yuan(value)
        elif name in ("kind", "purpose", "purpose_class"):
            kinds = "change_kind" if "change_id" in payload else "beneficiary_kind"
            group = "purpose" if name.startswith("purpose") else kinds
            value = label(group, value)
        elif isinstance(value, list):
            value = "、".join(map(str, value))
        found.append((label("signed", f"{within}.{name}" if within else name), str(value)))
    return found


def _steps(asked: Request, signed: list[Any], merchant_id: int) -> list[dict[str, Any]]:
    given = {each.step: each for each in signed}
    return [
        {
            "role": label("role", role),
            "name": people.staff(merchant_id, given[step].staff_id).name if step in given else "",
            "at": given[step].signed_at if step in given else None,
            "method": "" if step not in given else "passkey" if given[step].seal is None else "code",
            "turn": asked.state == "open" and step == asked.turn,
        }
        for step, role in enumerate(asked.chain)
    ]


def _options(request: HttpRequest, found: queries.Shown) -> str:
    """Return what the browser asks the passkey: to sign this, for this site, with one of these keys."""
    host = request.get_host().partition(":")[0]
    keys = [{"type": "public-key", "id": _b64(key.credential_id)} for key in found.passkeys if key.rp_id == host]
    said = {"challenge": _b64(found.challenge), "rpId": host, "allowCredentials": keys, "userVerification": "required"}
    return json.dumps(said)


def _way_to(subject: str, payload: dict[str, Any]) -> str:
    noun, _, id = subject.partition("/")
    pool = f"/console/pools/{payload.get('pool_id')}"
    return {
        "payout": f"/console/payouts/{id}", "beneficiary": "/console/beneficiaries", "pool": pool,
        "limit_change": pool, "filing": pool, "emergency": f"/console/limits/emergencies/{id}",
    }.get(noun, "")  # fmt: skip


def sign(request: HttpRequest, id: UUID) -> HttpResponse:
    """Take a signature: a passkey's answer to what the screen showed, or a code where the merchant allows them."""
    form = Form.of(request)
    if code := form.values.get("code"):
        given: Assertion | str = str(code)
    else:
        names = ("credential_id", "authenticator_data", "client_data", "signature")
        given = Assertion(*(_bytes(form.values.get(name)) for name in names))
    asked = actions.sign(by=actor(request), merchant_id=mine(request), id=id, assertion=given)
    told = t("已签署，全部审批完成。") if asked.state == "approved" else t("已签署，等待下一位审批。")
    return done(told, go=f"{HOME}/{id}")


def reject(request: HttpRequest, id: UUID) -> HttpResponse:
    """Say no for the whole chain."""
    form = Form.of(request)
    note = form.text("note", t("拒绝理由"))
    form.settle()
    actions.reject(by=actor(request), merchant_id=mine(request), id=id, note=note)
    return done(t("已拒绝。"), go=f"{HOME}/{id}")


def withdraw(request: HttpRequest, id: UUID) -> HttpResponse:
    """Call off a request of one's own."""
    actions.withdraw(by=actor(request), merchant_id=mine(request), id=id)
    return done(t("已撤回。"), go=f"{HOME}/{id}")


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(said: Any) -> bytes:
    try:
        return urlsafe_b64decode(str(said) + "=" * (-len(str(said)) % 4))
    except ValueError as error:
        raise Invalid(said="base64url") from error


urlpatterns = [
    path("approvals", inbox),
    path("approvals/<uuid:id>", detail),
    path("approvals/<uuid:id>/sign", sign),
    path("approvals/<uuid:id>/reject", reject),
    path("approvals/<uuid:id>/withdraw", withdraw),
]
