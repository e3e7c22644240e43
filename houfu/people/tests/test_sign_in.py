"""Signing in over real HTTP, with real passkeys: who comes in, and by what."""

import pytest

from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actions import Settings
from houfu.people.sign_in import sessions
from houfu.people.tests.somebody import PASSWORD, HalfMinute, code, here, invited, verbs, with_totp
from houfu.testing.passkeys import b64, unb64
from houfu.testing.web import COOKIE, Browser

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def shop(own_shop):
    return own_shop


def test_from_an_invitation_to_a_session_that_a_passkey_has_opened(address, shop):
    member, _, browser, passkey = here(address, shop)
    status, me = browser("GET", "/v1/people/me")
    assert (status, me["staff_id"], me["role"], me["problem"]) == (200, member.id, "legal", "")
    assert browser("GET", "/v1/stores")[0] == 200
    again = Browser(address)
    assert again.answer(passkey, "login") == 200
    assert again("GET", "/v1/people")[0] == 200
    (kept,) = queries.passkeys(shop.merchant_id, member.id)
    assert (kept.credential_id, kept.public_key, kept.rp_id) == (passkey.credential_id, passkey.public_key, "localhost")
    assert verbs(shop, member) == [
        "sign_in.done", "sign_in.proven", "factor.added", "passkey.added", "sign_in.done", "staff.accepted",
        "staff.invited",
    ]  # fmt: skip


def test_a_password_alone_opens_nothing_but_the_way_to_a_factor(address, shop):
    member, invitation, name = invited(shop)
    browser = Browser(address)
    browser.accept(invitation, name, PASSWORD)
    assert browser.sign_in(name, PASSWORD) == 200
    status, problem = browser("GET", "/v1/stores")
    assert (status, problem["code"]) == (403, "factor_needed")
    status, problem = browser("POST", "/v1/people", {}, Idempotency_Key="k")
    assert (status, problem["code"]) == (403, "factor_needed")
    me = browser("GET", "/v1/people/me")[1]
    assert (me["staff_id"], me["problem"], me["scopes"]) == (member.id, "factor_needed", [])


def test_a_code_is_enough_for_who_decides_about_no_money_and_for_nobody_else(address, shop):
    member, name, browser, secret = with_totp(address, shop, "auditor")
    for wrong in (code(secret, HalfMinute.now + 1), code(secret, HalfMinute.now - 1), "", "x"):
        assert browser.auth("POST", "auth/2fa/reauthenticate", {"code": wrong})[0] == 400
    assert browser.auth("POST", "auth/2fa/reauthenticate", {"code": code(secret)})[0] == 200
    assert browser("GET", "/v1/stores")[0] == 200
    people.change(by=shop.owner, merchant_id=shop.merchant_id, id=member.id, settings=Settings("finance"))
    HalfMinute.now += 1
    again = Browser(address)
    assert again.sign_in(name, PASSWORD) == 401
    assert again.auth("POST", "auth/2fa/authenticate", {"code": code(secret)})[0] == 200
    assert again("GET", "/v1/stores")[1]["code"] == "factor_needed"


def test_a_code_is_good_once(address, shop):
    _, name, _, secret = with_totp(address, shop)
    said = code(secret)
    first, second = Browser(address), Browser(address)
    for browser in (first, second):
        assert browser.sign_in(name, PASSWORD) == 401  # the second factor is asked for
    assert [b.auth("POST", "auth/2fa/authenticate", {"code": said})[0] for b in (first, second)] == [200, 400]
    assert second("GET", "/v1/stores")[0] == 401


def test_an_app_signs_in_with_a_token_and_no_cookie(address, shop):
    _, _, _, passkey = here(address, shop)
    app = Browser(address)
    app.origin = None
    status, options = app("GET", "/auth/app/v1/auth/webauthn/login")
    token = options["meta"]["session_token"]
    credential = passkey.sign(options["data"]["request_options"])
    status, said = app("POST", "/auth/app/v1/auth/webauthn/login", {"credential": credential}, X_Session_Token=token)
    assert status == 200
    fresh = said["meta"]["session_token"]
    assert fresh != token
    assert COOKIE not in app.cookies
    app.cookies.clear()
    assert app("GET", "/v1/stores", X_Session_Token=fresh)[0] == 200
    assert app("GET", "/v1/stores", X_Session_Token=token)[0] == 401
    assert app("GET", "/v1/stores", X_Session_Token=sessions.digest(fresh))[0] == 401  # what is stored opens nothing
    assert app("GET", "/v1/stores")[0] == 401


def lied(browser, passkey, **said):
    """Answer a sign-in with a passkey that says something else than it should."""
    _, options = browser.auth("GET", "auth/webauthn/login")
    asked = options["data"]["request_options"]
    before = {name: getattr(passkey, name) for name in said if hasattr(passkey, name)}
    for name, value in said.items():
        setattr(passkey, name, value)
    credential = passkey.sign(asked)
    for name, value in before.items():
        setattr(passkey, name, value)
    return browser.auth("POST", "auth/webauthn/login", {"credential": credential})[0]


@pytest.mark.parametrize(
    "said",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost.evil.example"},
        {"rp_id": "evil.example"},
        {"verified": False},
        {"counter": 0},
    ],
    ids=["origin", "origin-suffix", "rp_id", "unverified", "counted-back"],
)
def test_a_passkey_that_lies_opens_nothing(address, shop, said):
    _, _, _, passkey = here(address, shop)
    browser = Browser(address)
    assert lied(browser, passkey, **said) == 400
    assert browser("GET", "/v1/stores")[0] == 401
    passkey.counter += 5
    assert browser.answer(passkey, "login") == 200  # the same key, telling the truth


def test_a_challenge_is_answered_once_and_by_who_was_asked(address, shop):
    _, _, _, passkey = here(address, shop)
    browser, other = Browser(address), Browser(address)
    _, options = browser.auth("GET", "auth/webauthn/login")
    other.auth("GET", "auth/webauthn/login")
    credential = passkey.sign(options["data"]["request_options"])
    assert other.auth("POST", "auth/webauthn/login", {"credential": credential})[0] == 400
    assert browser.auth("POST", "auth/webauthn/login", {"credential": credential})[0] == 200
    browser.auth("DELETE", "auth/session")
    assert browser.auth("POST", "auth/webauthn/login", {"credential": credential})[0] == 400
    assert browser("GET", "/v1/stores")[0] == 401


def test_a_signature_that_was_altered_opens_nothing(address, shop):
    _, _, _, passkey = here(address, shop)
    browser = Browser(address)
    for part in ("signature", "authenticatorData", "clientDataJSON"):
        _, options = browser.auth("GET", "auth/webauthn/login")
        credential = passkey.sign(options["data"]["request_options"])
        raw = bytearray(unb64(credential["response"][part]))
        raw[-1] ^= 1
        credential["response"][part] = b64(bytes(raw))
        assert browser.auth("POST", "auth/webauthn/login", {"credential": credential})[0] == 400
    assert browser("GET", "/v1/stores")[0] == 401


def test_another_persons_passkey_is_no_second_factor(address, shop):
    member, name, _, own = here(address, shop)
    _, _, _, other = here(address, shop)
    browser = Browser(address)
    assert browser.sign_in(name, PASSWORD) == 401
    assert browser.answer(other, "authenticate") == 400
    other.user_handle = own.user_handle
    assert browser.answer(other, "authenticate") == 400
    _, options = browser.auth("GET", "auth/webauthn/login")
    credential = other.sign(options["data"]["request_options"])
    assert Browser(address).auth("POST", "auth/webauthn/login", {"credential": credential})[0] == 400
    assert verbs(shop, member)[:2] == ["sign_in.failed"] * 2
    assert browser.answer(own, "authenticate") == 200


def test_a_password_takes_no_passkeys_place(address, shop):
    """Whoever has a passkey adds, removes and resets factors only after having used it."""
    member, name, browser, passkey = here(address, shop)
    codes = browser.auth("GET", "account/authenticators/recovery-codes")[1]["data"]["unused_codes"]
    thief = Browser(address)
    assert thief.sign_in(name, PASSWORD) == 401
    assert thief.auth("POST", "auth/2fa/authenticate", {"code": codes[0]})[0] == 200
    assert thief.reauthenticate(PASSWORD) == 200
    assert thief("GET", "/v1/stores")[1]["code"] == "factor_needed"
    before = verbs(shop, member)
    for method, what in (
        ("GET", "webauthn?passwordless"), ("POST", "webauthn"), ("DELETE", "webauthn"), ("GET", "totp"),
        ("POST", "totp"), ("POST", "recovery-codes"), ("GET", "recovery-codes"),
    ):  # fmt: skip
        status, said = thief.auth(method, f"account/authenticators/{what}", None if method == "GET" else {})
        assert (status, said["code"]) == (403, "factor_first"), (method, what)
    assert verbs(shop, member) == before
    assert Browser(address).answer(passkey, "login") == 200


def test_a_passkey_that_was_removed_opens_nothing_and_stays_known(address, shop):
    member, _, browser, passkey = here(address, shop)
    (only,) = [a["id"] for a in browser.auth("GET", "account/authenticators")[1]["data"] if a["type"] == "webauthn"]
    status, said = browser.auth("DELETE", "account/authenticators/webauthn", {"authenticators": [only]})
    assert (status, said["code"]) == (409, "last_passkey")
    assert Browser(address).answer(passkey, "login") == 200
    second = browser.passkey()
    assert browser.add_passkey(second)[0] == 200
    listed = browser.auth("GET", "account/authenticators")[1]["data"]
    first_id = min(each["id"] for each in listed if each["type"] == "webauthn")
    assert browser.auth("DELETE", "account/authenticators/webauthn", {"authenticators": [first_id]})[0] == 200
    assert Browser(address).answer(passkey, "login") == 400
    assert Browser(address).answer(second, "login") == 200
    kept = queries.passkeys(shop.merchant_id, member.id)
    assert [(each.credential_id, each.removed_at is None) for each in kept] == [
        (passkey.credential_id, False), (second.credential_id, True),
    ]  # fmt: skip
    assert verbs(shop, member)[1] == "passkey.removed"
