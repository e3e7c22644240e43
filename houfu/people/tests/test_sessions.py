"""Sessions over real HTTP: for how long, from which pages, and what ends them."""

import base64
import time

import pytest

from houfu.history import queries as history
from houfu.kernel import db
from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actions import Settings
from houfu.people.sign_in import sessions
from houfu.people.tests.somebody import PASSWORD, here, invited, verbs, with_totp
from houfu.testing.web import COOKIE, Browser, signed_in
from houfu.testing.world import OPERATOR, new_identity, open_shop

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def shop(own_shop):
    return own_shop


def test_the_cookie_is_for_this_host_for_https_and_for_no_script(address, shop):
    _, name, browser, _ = here(address, shop)
    fresh = Browser(address)
    fresh.sign_in(name, PASSWORD)
    (said,) = [v for n, v in fresh.headers if n.lower() == "set-cookie" and v.startswith(f"{COOKIE}=")]
    assert {part.strip() for part in said.split(";")[1:]} == {"HttpOnly", "Path=/", "SameSite=Strict", "Secure"}
    token = browser.cookies[COOKIE]
    assert len(token) >= 43  # 256 bits, as base64 has them
    kept = db.rows("SELECT session_key FROM django_session")
    assert token not in {row.session_key for row in kept}
    assert sessions.digest(token) in {row.session_key for row in kept}


def test_signing_in_gives_a_new_token_whatever_was_there(address, shop):
    _, _, _, passkey = here(address, shop)
    victim = Browser(address)
    victim.auth("GET", "auth/webauthn/login")
    planted = victim.cookies[COOKIE]
    assert victim.answer(passkey, "login") == 200
    assert victim.cookies[COOKIE] != planted
    attacker = Browser(address)
    attacker.cookies[COOKIE] = planted
    assert attacker("GET", "/v1/stores")[0] == 401
    made_up = Browser(address)
    made_up.cookies[COOKIE] = "chosen-by-somebody-else"
    made_up.auth("GET", "auth/webauthn/login")
    assert made_up.cookies[COOKIE] != "chosen-by-somebody-else"


@pytest.mark.parametrize(("role", "minutes"), [("legal", 15), ("auditor", 30)])
def test_a_session_ends_when_nobody_is_there(address, shop, later, role, minutes):
    _, _, browser, _ = here(address, shop, role)
    for _ in range(3):
        later(minutes=minutes - 2)
        assert browser("GET", "/v1/stores")[0] == 200
    later(minutes=minutes)
    assert browser("GET", "/v1/stores")[0] == 401
    later(minutes=-minutes)
    assert browser("GET", "/v1/stores")[0] == 401  # it is gone, not asleep


def test_a_page_that_only_listens_keeps_nobody_signed_in(address, shop, later):
    _, _, browser, _ = here(address, shop)
    token = browser.cookies[COOKIE]
    later(minutes=14)
    assert sessions.opened(token, touches=False) is not None
    later(minutes=2)
    assert sessions.opened(token, touches=False) is None
    assert browser("GET", "/v1/stores")[0] == 401


def test_a_session_ends_after_eight_hours_however_busy(address, shop, later):
    _, _, browser, _ = here(address, shop)
    for _ in range(34):
        later(minutes=14)
        assert browser("GET", "/v1/people/me")[0] == 200
    later(minutes=4)
    assert browser("GET", "/v1/people/me")[0] == 401


@pytest.mark.parametrize("how", ["disabled", "role", "recovered", "signed out elsewhere", "password"])
def test_a_session_ends_with_what_it_stood_on(address, shop, how):
    member, name, browser, passkey = here(address, shop)
    at = {"merchant_id": shop.merchant_id, "id": member.id}
    assert browser("GET", "/v1/stores")[0] == 200
    if how == "disabled":
        people.disable(by=shop.owner, **at, reason="left")
    elif how == "role":
        people.change(by=shop.owner, **at, settings=Settings("auditor"))
    elif how == "recovered":
        for by in (shop.owner, shop.hire("owner")):
            people.recover(by=by, **at)
    else:
        other = Browser(address)
        assert other.answer(passkey, "login") == 200
        if how == "password":
            status, said = other.auth(
                "POST", "account/password/change", {"current_password": PASSWORD, "new_password": PASSWORD + "!"}
            )
            assert status in (200, 401), said
        else:
            listed = other.auth("GET", "auth/sessions")[1]["data"]
            ids = [each["id"] for each in listed if not each["is_current"]]
            assert other.auth("DELETE", "auth/sessions", {"sessions": ids})[0] == 200
            assert verbs(shop, member)[0] == "session.ended"
    assert browser("GET", "/v1/stores")[0] == 401
    assert browser.auth("GET", "auth/session")[0] == 401
    if how in ("disabled", "recovered"):
        assert Browser(address).answer(passkey, "login") in (400, 401)
        assert Browser(address).sign_in(name, PASSWORD) == 400


def test_a_role_counts_from_the_next_request_on(address, shop):
    member, _, _, passkey = here(address, shop, "owner")
    people.change(by=shop.owner, merchant_id=shop.merchant_id, id=member.id, settings=Settings("legal"))
    again = Browser(address)
    assert again.answer(passkey, "login") == 200
    assert again("GET", "/v1/people/me")[1]["role"] == "legal"
    body = {"name": "x", "identity": new_identity(), "role": "auditor"}
    assert again("POST", "/v1/people", body)[1]["code"] == "forbidden"


def test_signing_out_ends_the_session_for_good(address, shop):
    member, _, browser, _ = here(address, shop)
    token = browser.cookies[COOKIE]
    assert browser.auth("DELETE", "auth/session")[0] == 401
    browser.cookies[COOKIE] = token
    assert browser("GET", "/v1/stores")[0] == 401
    assert verbs(shop, member)[0] == "sign_in.ended"


@pytest.mark.parametrize(
    "sent",
    [
        {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "https://evil.example", "Sec_Fetch_Site": None},
        {"Origin": "null", "Sec_Fetch_Site": None},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Origin": None, "Sec_Fetch_Site": None},
        {"X_CSRFToken": None},
        {"X_CSRFToken": "0" * 64},
    ],
    ids=lambda sent: ",".join(f"{name}={value}" for name, value in sent.items()),
)
def test_what_another_site_sends_moves_nothing(address, shop, sent):
    _, _, browser, _ = here(address, shop, "owner")
    body = {"name": "x", "identity": new_identity(), "role": "auditor"}
    before = len(queries.everybody(OPERATOR, shop.merchant_id))
    status, said = browser("POST", "/v1/people", body, **sent)
    assert (status, said["code"]) == (403, "cross_site")
    assert len(queries.everybody(OPERATOR, shop.merchant_id)) == before
    status, said = browser.auth("DELETE", "auth/session", None, **sent)
    assert (status, said["code"]) == (403, "cross_site")
    assert browser("POST", "/v1/people", body)[0] == 201


def test_nobody_is_signed_in_as_somebody_else_by_another_site(address, shop):
    _, invitation, name = invited(shop)
    browser = Browser(address)
    browser.accept(invitation, name, PASSWORD)
    browser.origin = "https://evil.example"
    status, said = browser.auth("POST", "auth/login", {"username": name, "password": PASSWORD})
    assert (status, said["code"], COOKIE in browser.cookies) == (403, "cross_site", False)


def test_a_form_is_not_listened_to(address, shop):
    _, _, browser, _ = here(address, shop, "owner")
    status, said = browser("POST", "/v1/people", {"name": "x"}, Content_Type="text/plain")
    assert (status, said["code"]) == (422, "json_needed")


def test_the_token_of_one_session_is_none_of_anothers(address, shop):
    _, _, first, passkey = here(address, shop, "owner")
    second = Browser(address)
    second.answer(passkey, "login")
    stolen = first.cookies["__Host-houfu-csrf"]
    assert second("POST", "/v1/people/1:enable", None, X_CSRFToken=stolen)[1]["code"] == "cross_site"


def test_what_decides_about_people_is_proven_anew(address, shop, monkeypatch):
    _, _, browser, _ = here(address, shop, "owner")
    body = {"name": "x", "identity": new_identity(), "role": "auditor"}
    now = time.time()
    monkeypatch.setattr("houfu.people.sign_in.auth.time.time", lambda: now + 301)
    for path, said in (("/v1/people", body), (f"/v1/people/{shop.assistant.staff_id}:enable", None)):
        assert browser("POST", path, said)[1]["code"] == "step_up_needed"
    monkeypatch.undo()
    assert browser("POST", "/v1/people", body)[0] == 201


def test_an_owner_runs_the_staff_over_http(address, shop):
    _, _, browser, _ = here(address, shop, "owner")
    status, made = browser("POST", "/v1/people", {"name": "李雷", "identity": new_identity(), "role": "auditor"})
    assert (status, made["state"]) == (201, "invited")
    at = f"/v1/people/{made['id']}"
    status, said = browser("PUT", at, {"role": "clerk", "daily_count": 9})
    assert [reason["code"] for reason in said["reasons"]] == ["daily_count_beyond"]
    assert browser("PUT", at, {"role": "clerk", "store_ids": shop.stores, "daily_count": 2})[1]["daily_count"] == 2
    assert browser("POST", f"{at}:disable", {"reason": "left"})[1]["state"] == "disabled"
    assert browser("POST", f"{at}:enable")[1]["state"] == "active"
    assert browser("POST", f"{at}:recover")[1]["invitation"] == ""
    assert [each["id"] for each in browser("GET", "/v1/people")[1]["items"]][-1] == made["id"]
    assert browser("GET", at)[1]["role"] == "clerk"
    mine = browser("GET", "/v1/people/me")[1]["staff_id"]
    assert browser("PUT", f"/v1/people/{mine}", {"role": "risk_officer"})[1]["code"] == "people_own_tier"


def test_a_clerk_at_a_browser_sees_their_own_store_alone(address):
    shop = open_shop(stores=2, own_limit_fen=100_000)
    ours, theirs = shop.stores
    member, invitation, name = invited(shop, "clerk", stores=frozenset({ours}))
    browser, _ = signed_in(address, invitation, name, PASSWORD)
    assert [each["id"] for each in browser("GET", "/v1/stores")[1]["items"]] == [ours]
    assert browser("GET", f"/v1/stores/{theirs}/limit")[0] == 404
    assert browser("POST", "/v1/orders", {"id": "B1", "store_id": theirs, "amount_fen": 5})[0] == 404
    assert browser("POST", "/v1/orders", {"id": "B1", "store_id": ours, "amount_fen": 5})[0] == 201
    assert browser("GET", "/v1/balances")[0] == 403
    link = history.links(shop.merchant_id)[0]
    assert (link.verb, link.actor) == ("orders.authorised", f"staff/{member.id}")


def test_a_key_is_still_a_key_beside_a_cookie(address, shop):
    _, token = people.create_key(
        by=OPERATOR, merchant_id=shop.merchant_id, name="e", person="w", scopes=["orders:read"]
    )
    _, _, browser, _ = here(address, shop)
    bearer = {"Authorization": f"Bearer {token}"}
    assert browser("GET", "/v1/stores", None, **bearer)[0] == 403  # what the key may, not what the cookie may
    assert browser("GET", "/v1/people/me", None, **bearer)[1]["kind"] == "key"
    assert browser("GET", "/v1/stores", None, Authorization="Bearer nonsense")[0] == 401


def test_an_answer_that_is_kept_is_kept_from_others(address, shop):
    _, _, browser, _ = here(address, shop, "owner")
    body = {"name": "x", "identity": new_identity(), "role": "auditor"}
    status, made = browser("POST", "/v1/people", body, Idempotency_Key="one")
    assert (status, browser("POST", "/v1/people", body, Idempotency_Key="one")) == (201, (201, made))
    kept = db.rows("SELECT k::text AS row, body_sealed FROM kernel_answer k WHERE merchant_id = %s", [shop.merchant_id])
    assert len(kept) == 1
    assert made["invitation"] not in kept[0].row
    assert made["invitation"].encode() not in bytes(kept[0].body_sealed)


def test_no_secret_of_sign_in_is_written_where_it_can_be_read(address, shop):
    _, _, browser, secret = with_totp(address, shop)
    _, _, other, _ = here(address, shop)
    raw = base64.b32decode(secret)
    told = [link.detail for link in history.links(shop.merchant_id, limit=500)]
    rows = db.rows("SELECT a::text AS row FROM mfa_authenticator a")
    kept = [row.row for row in rows]
    for each in (PASSWORD, secret, raw.hex(), other.cookies[COOKIE], browser.cookies[COOKIE]):
        assert not any(each in str(text) for text in told)
        assert not any(each in text for text in kept)


def test_the_auditors_login_reads_nothing_of_sign_in():
    from django.db import connections

    with connections["auditor"].cursor() as cursor:
        for table in ("auth_user", "mfa_authenticator", "django_session", "usersessions_usersession", "people_memory"):
            with pytest.raises(Exception, match="permission denied"):
                cursor.execute(f"SELECT * FROM {table}")
