"""The console's doors: who sees which page, whose things, how a refusal is shown, and how much a page asks for."""

import itertools
import json
import re
import time
from dataclasses import replace
from http.client import HTTPConnection
from urllib.parse import quote, urlencode, urlsplit

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.db import connection
from django.test import RequestFactory
from django.urls import get_resolver, resolve
from django.utils import translation

from houfu.kernel import db as database
from houfu.kernel import isolation, kept
from houfu.merchants.models import Merchant
from houfu.people import actions as people
from houfu.people.actions import Settings
from houfu.people.tests.somebody import PASSWORD, HalfMinute, here, invited, with_totp
from houfu.site import shell
from houfu.testing.web import Browser
from houfu.testing.world import OPERATOR, at_work, new_identity, open_shop, proved

pytestmark = pytest.mark.usefixtures("db")
ROLES = ("clerk", "store_manager", "regional_manager", "owner", "supervisor", "legal", "finance", "auditor")
EVERYBODY = set(ROLES)
PAGES = {
    "/console/": EVERYBODY,
    "/console/overview/trend": EVERYBODY,
    "/console/orders": EVERYBODY,
    "/console/payouts": EVERYBODY,
    "/console/payouts/automatic": EVERYBODY,
    "/console/payouts/new": {"clerk", "store_manager", "regional_manager", "owner", "finance"},
    "/console/approvals": EVERYBODY,
    "/console/beneficiaries": EVERYBODY,
    "/console/people": EVERYBODY - {"clerk", "store_manager"},
    "/console/style": EVERYBODY,
}


@pytest.fixture(scope="module")
def address():
    """Where a web process answers."""
    from houfu.testing.web import running_web

    with running_web() as found:
        yield found


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    """Spend on passwords what tests can afford."""
    from houfu.people.sign_in.passwords import Argon2id

    monkeypatch.setattr(Argon2id, "memory_cost", 64)
    monkeypatch.setattr(Argon2id, "time_cost", 1)


@pytest.fixture
def half_minute(monkeypatch):
    """Hold the time of code generators still."""
    from allauth.mfa.totp.internal import auth as totp

    monkeypatch.setattr(totp, "yield_hotp_counters_from_time", lambda: iter([HalfMinute.now]))


def shown(by, path, **headers):
    """Return what somebody is shown, without the way through HTTP."""
    return answered(by, RequestFactory().get(path, headers=headers))


def answered(by, request):
    """Return what a request is answered that comes from somebody who has just proved who they are."""
    request.user = None
    request.session = SessionBase()
    request.session["account_authentication_methods"] = [{"method": "mfa", "at": time.time()}]
    match = resolve(request.path)
    middleware = shell.ConsoleMiddleware(lambda request: None)
    kept, shell.identify = shell.identify, lambda request: by
    try:
        with isolation.acting(None), translation.override("zh-hans"):
            return middleware.process_view(request, match.func, match.args, match.kwargs)
    finally:
        shell.identify = kept


@pytest.mark.parametrize("role", ROLES)
def test_who_sees_which_page(role):
    shop = open_shop()
    by = shop.owner if role == "owner" else shop.hire(role, "韩梅梅")
    found = {path: shown(by, path).status_code for path in PAGES}
    assert found == {path: 200 if role in who else 403 for path, who in PAGES.items()}


def test_the_menu_offers_nothing_that_is_refused():
    shop = open_shop()
    for role in ROLES:
        by = shop.owner if role == "owner" else shop.hire(role, "韩梅梅")
        request = RequestFactory().get("/console/")
        request.auth, request.user = by, None
        with isolation.acting(by):
            offered = [entry["url"] for _, entries in shell.Shell(request).menu for entry in entries]
        assert {url: shown(by, url).status_code for url in offered} == dict.fromkeys(offered, 200), role


def test_another_merchants_and_another_stores_things_look_as_if_they_were_not_there():
    shop, other = open_shop(stores=2), open_shop()
    own, elsewhere = shop.earn(90_000)[0], shop.earn(90_000, store=shop.stores[1])[0]
    clerk = shop.hire("clerk", stores=shop.stores[:1])
    payout = shop.request(10_000)
    assert shown(clerk, f"/console/orders/{own}").status_code == 200
    assert shown(clerk, f"/console/orders/{elsewhere}").status_code == 404
    assert shown(other.owner, f"/console/orders/{own}").status_code == 404
    assert shown(shop.owner, f"/console/payouts/{payout.id}").status_code == 200
    assert shown(other.owner, f"/console/payouts/{payout.id}").status_code == 404
    assert shown(other.owner, f"/console/approvals/{payout.id}").status_code == 404
    assert elsewhere not in shown(clerk, "/console/orders").content.decode()
    chosen = shown(clerk, f"/console/orders?store={shop.stores[1]}").content.decode()
    assert own in chosen, "a store that one does not see cannot be chosen"
    assert elsewhere not in chosen


def test_a_refusal_is_shown_where_it_was_asked_with_its_reasons_in_both_languages():
    shop = open_shop()
    shop.payee()
    asked = f"?store_id={shop.store}&beneficiary_id={shop.beneficiary_id}&amount=50&purpose=goods_settlement"
    page = shown(shop.owner, f"/console/payouts/quote{asked}", HX_Request="true").content.decode()
    for said in ("低于单笔最低金额", "请至少申请 100.00 元。", "P4", "余额覆盖不足", "P5"):
        assert said in page
    missing = shown(shop.owner, "/console/orders/NOWHERE", HX_Request="true", HX_Target="div#drawer-body")
    assert "没有这项内容" in missing.content.decode()
    assert missing.status_code == 200, "what goes into the drawer is shown there"


def test_a_new_pack_is_checked_by_the_platforms_people_alone():
    text = """version = "2027-01-01"
effective_from = 2027-01-01T00:00:00+08:00
title = "更小的提现"
source = "decided in December"

[payouts]
minimum_fen = 5_000
"""
    path = "/console/rules/new/check?" + urlencode({"text": text})
    page = shown(OPERATOR, path).content.decode()
    for said in ("更小的提现", "单笔提现最低金额", "100.00 元", "50.00 元", "P4", "发布"):
        assert said in page
    assert "T00:00" not in shown(OPERATOR, path.replace("minimum_fen", "minimum"), HX_Request="true").content.decode()
    past = path.replace("2027-01-01", "2025-01-01")
    assert "生效时间已过" in shown(OPERATOR, past).content.decode()
    shop = open_shop()
    for by in (shop.owner, shop.hire("risk_officer")):
        assert {shown(by, each).status_code for each in (path, "/console/rules/new")} == {403}
    assert "/console/rules/new" not in shown(shop.owner, "/console/rules").content.decode()
    assert "/console/rules/new" in shown(OPERATOR, "/console/rules").content.decode()


def ask(address, browser, method, path, **headers):
    """Send a request as a browser's page does, and return status and headers."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items()) if browser else ""
    client = HTTPConnection(urlsplit(address).netloc, timeout=20)
    client.request(method, path, headers={"Cookie": cookies, **headers})
    answer = client.getresponse()
    answer.read()
    client.close()
    return answer.status, dict(answer.getheaders())


def test_pages_come_with_the_policy_and_only_to_who_has_signed_in(address):
    status, headers = ask(address, None, "GET", "/console/orders?state=settled")
    assert (status, headers["Location"]) == (302, "/console/sign-in?next=/console/orders%3Fstate%3Dsettled")
    status, headers = ask(address, None, "GET", "/console/orders", **{"HX-Request": "true"})
    assert (status, headers["X-Houfu-Go"]) == (401, "/console/sign-in")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert ask(address, None, "GET", "/")[1]["Location"] == "/console/"


def test_an_address_too_long_to_come_back_to_leads_to_sign_in_alone(address):
    status, headers = ask(address, None, "GET", "/console/orders?id=" + "x" * 3000)
    assert (status, headers["Location"]) == (302, "/console/sign-in")


def test_the_secret_of_a_code_is_drawn_for_who_is_about_to_add_it(address, half_minute):
    shop = open_shop()
    _, _, browser, _ = with_totp(address, shop, "auditor")
    assert ask(address, browser, "GET", "/console/factor/picture")[0] == 404, (
        "it has been added, and is not shown again"
    )
    _, invitation, name = invited(shop, "auditor")
    new = Browser(address)
    assert new.accept(invitation, name, PASSWORD) == 201
    assert new.sign_in(name, PASSWORD) == 200
    assert new.reauthenticate(PASSWORD) == 200
    new.auth("GET", "account/authenticators/totp")
    status, headers = ask(address, new, "GET", "/console/factor/picture")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "image/svg+xml", "no-store")
    assert ask(address, None, "GET", "/console/factor/picture")[0] == 302


def test_merchants_are_found_by_part_of_their_name_by_code_and_by_number():
    shop, other = open_shop(), open_shop()
    found = Merchant.objects.get(merchant_id=shop.merchant_id)
    database.rows("UPDATE merchants_merchant SET name = %s WHERE merchant_id = %s", ["西湖 Tea", shop.merchant_id])
    for said in ("西湖", "TEA", found.uscc[:12], str(shop.merchant_id)):
        page = shown(OPERATOR, f"/console/platform/merchants?q={quote(said)}").content.decode()
        rows = re.findall(r'<td class="num"><a href="/console/platform/merchants/(\d+)"', page)
        assert str(shop.merchant_id) in rows
        assert str(other.merchant_id) not in rows or said == found.uscc[:12]
    assert "没有符合条件的商户" in shown(OPERATOR, "/console/platform/merchants?q=%25").content.decode()


def test_what_one_of_the_staff_has_asked_for_stands_beside_what_they_may():
    shop = open_shop()
    clerk = shop.hire("clerk", "周小店", daily_count=3)
    shop.earn(90_000)
    shop.request(20_000, by=proved(clerk))
    page = shown(shop.owner, f"/console/people/{clerk.staff_id}/counts").content.decode()
    assert "1 / 3 次" in page
    assert "200.00" in page
    assert shown(clerk, f"/console/people/{clerk.staff_id}/counts").status_code == 403
    assert shown(open_shop().owner, f"/console/people/{clerk.staff_id}/counts").status_code == 404


def test_somebody_of_the_platform_is_called_by_name_wherever_they_are():
    settings = Settings("operator", None)
    member, _ = people.invite(by=OPERATOR, merchant_id=0, name="平台小李", identity=new_identity(), settings=settings)
    request = RequestFactory().get("/console/")
    for duty in (None, open_shop().merchant_id):
        request.auth = replace(at_work(member) if duty is None else request.auth, duty=duty)
        assert shell.Shell(request).name == "平台小李"
        assert "平台小李" not in repr(request.auth)


def test_a_lesser_factor_is_led_to_the_one_that_the_role_asks_for(address, half_minute):
    shop = open_shop()
    _, _, browser, _ = with_totp(address, shop, "finance")
    status, headers = ask(address, browser, "GET", "/console/payouts")
    assert (status, headers["Location"]) == (302, "/console/factor?next=/console/payouts")


def test_nothing_is_written_that_another_site_has_sent(address):
    shop = open_shop()
    _, _, browser, _ = here(address, shop)
    payout = shop.earn(90_000) and shop.request(10_000)
    for headers in (
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": address, "Sec-Fetch-Site": "same-origin"},  # without the session's token
    ):
        status, _ = ask(address, browser, "POST", f"/console/payouts/{payout.id}/cancel", **headers)
        assert status == 403
    payout.refresh_from_db()
    assert payout.state == "pending_approval"


@pytest.fixture
def statements(monkeypatch):
    """What the database is asked, whichever way."""
    asked = []
    rows = database.rows

    def counted(statement, *args, **kwargs):
        asked.append(statement)
        return rows(statement, *args, **kwargs)

    def wrapped(execute, sql, params, many, context):
        asked.append(sql)
        return execute(sql, params, many, context)

    monkeypatch.setattr(database, "rows", counted)
    with connection.execute_wrapper(wrapped):
        yield asked


@pytest.mark.parametrize(
    "path", ["/console/", "/console/orders", "/console/payouts", "/console/beneficiaries", "/console/people"]
)
def test_a_page_asks_no_more_for_many_rows_than_for_few(statements, path):
    few, many = open_shop(stores=1), open_shop(stores=6)
    for shop, count in ((few, 1), (many, 9)):
        for store in shop.stores:
            shop.earn(*[70_000] * count, store=store)
            shop.ask(12_000, store=store)
        for n in range(count):
            shop.hire("auditor", f"{n} 号")
    asked = {}
    for name, shop in (("few", few), ("many", many)):
        shown(shop.owner, path)
        statements.clear()
        assert shown(shop.owner, path).status_code == 200
        asked[name] = len(statements)
    assert asked["many"] == asked["few"]
    assert asked["many"] <= 30


def test_the_trend_counts_what_one_sees_and_today_again_soon(clock, monkeypatch):
    from houfu.site import trend

    shop = open_shop(stores=2)
    shop.place(70_000, 30_000)
    shop.place(20_000, store=shop.stores[1])
    shop.place(10**11)
    clerk = shop.hire("clerk", stores=shop.stores[1:])
    assert trend.by_day(shop.owner, shop.merchant_id, None)[-1][1] == (3, 120_000, 1)
    assert trend.by_day(clerk, shop.merchant_id, None)[-1][1] == (1, 20_000, 0)
    assert trend.by_day(clerk, shop.merchant_id, shop.store)[-1][1] == (0, 0, 0)
    shop.place(1_000)
    later = kept.time.monotonic() + trend.TODAY + 1
    monkeypatch.setattr(kept.time, "monotonic", lambda: later)
    assert trend.by_day(shop.owner, shop.merchant_id, None)[-1][1] == (4, 121_000, 1)
    clock.move(days=1)
    days = trend.by_day(shop.owner, shop.merchant_id, None)
    assert [row for _, row in days[-2:]] == [(4, 121_000, 1), (0, 0, 0)]
    assert len(days) == trend.DAYS


def test_a_fault_of_ours_is_a_page_that_says_so_and_nothing_else(monkeypatch, caplog):
    from houfu.orders import queries

    def broken(*args, **kwargs):
        raise ZeroDivisionError("a secret of ours")

    shop = open_shop()
    monkeypatch.setattr(queries, "orders", broken)
    answer = shown(shop.owner, "/console/orders")
    assert answer.status_code == 500
    assert "系统出错" in answer.content.decode()
    assert "a secret of ours" not in answer.content.decode()
    assert "a secret of ours" in caplog.text


GARBAGE = (
    "",
    "x",
    "-1",
    "０",
    "9" * 40,
    "2025-13-45",
    "2025-11-10T25:00",
    "\x00",
    "1 OR 1=1",
    "é" * 100,
    "../..",
    "{}",
)
NAMES = (
    "state", "store", "store_id", "pool_id", "from", "to", "day", "first", "last", "cursor", "outcome",
    "version", "old", "new", "policy", "draft", "grain", "hours", "id", "noun", "subject", "who", "amount",
    "amount_fen", "reason", "note", "text", "until", "valid_from", "valid_until", "ends_at", "share",
    "parameters", "rule", "why", "kind", "url", "scopes", "beneficiary_id", "purpose", "format", "way",
    "code", "name", "role", "band", "starts_at", "effect", "said",
)  # fmt: skip


def addresses():
    """Every address of the console, with something in the place of what it names."""
    filled = {"int": "1", "uuid": "00000000-0000-7000-8000-000000000000", "str": "x", "path": "x"}
    return [
        "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda m: filled[m.group(1) or "str"], path)
        for path in walked(get_resolver().url_patterns, "")
        if path.startswith("console/") and "(" not in path
    ]


def walked(patterns, before):
    for each in patterns:
        here = before + str(each.pattern)
        if hasattr(each, "url_patterns"):
            yield from walked(each.url_patterns, here)
        else:
            yield here.replace("^", "").replace("$", "")


@pytest.mark.parametrize("who", ["owner", "operator"])
def test_nothing_that_anybody_sends_breaks_a_page(who, fresh_db):
    """Filters, forms and addresses full of what no page of ours sends: all of it is answered or refused."""
    by = open_shop().owner if who == "owner" else OPERATOR
    seen, visit = 0, RequestFactory(SERVER_NAME="localhost")
    garbage = itertools.cycle(GARBAGE)
    for path in addresses():
        one, other, third = (dict.fromkeys(NAMES, next(garbage)) for _ in range(3))
        for request in (
            visit.get(path, one),
            visit.get(path, other),
            visit.post(path, json.dumps(third), content_type="application/json"),
        ):
            assert answered(by, request).status_code < 500, (request.method, request.get_full_path()[:200])
            seen += 1
    assert seen > 300
