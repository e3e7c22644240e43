"""Signing in over real HTTP, with real passkeys: who comes in, by what, for how long, and who does not."""

import base64
import time
from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import hotp_value

from houfu.history import queries as history
from houfu.kernel import clock as clocks
from houfu.kernel import db
from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actions import Settings
from houfu.people.sign_in import sessions
from houfu.people.sign_in.guard import PEER, seal_peer
from houfu.people.sign_in.passwords import Argon2id
from houfu.testing.passkeys import b64, unb64
from houfu.testing.web import COOKIE, Browser, running_web, signed_in
from houfu.testing.world import OPERATOR, new_identity, open_shop

pytestmark = pytest.mark.usefixtures("db")
PASSWORD = "korrekt-pferd-batterie"


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch):
    """Spend on passwords what tests can afford."""
    monkeypatch.setattr(Argon2id, "memory_cost", 64)
    monkeypatch.setattr(Argon2id, "time_cost", 1)


@pytest.fixture(scope="module")
def address():
    with running_web() as found:
        yield found


@pytest.fixture
def shop():
    db.rows("DELETE FROM people_memory")  # all tests come from one address, whose attempts are counted
    return open_shop(own_limit_fen=0)


@pytest.fixture
def later(monkeypatch):
    """Let the machine's clock go on, as sign-in sees it."""
    gone = [timedelta()]
    monkeypatch.setattr(clocks, "machine_now", lambda: clocks.SystemClock().now() + gone[0])

    def move(**step):
        gone[0] += timedelta(**step)

    return move


def invited(shop, role="legal", **caps):
    """Invite somebody, and return the member, the invitation and the name by which they will sign in."""
    member, invitation = people.invite(
        by=shop.owner, merchant_id=shop.merchant_id, name="韩梅梅", identity=new_identity(),
        settings=Settings(role, **caps),
    )  # fmt: skip
    return member, invitation, f"han-{member.merchant_id}-{member.id}@shop.example"


def here(address, shop, role="legal"):
    """Return somebody with a session that a passkey has opened."""
    member, invitation, name = invited(shop, role)
    browser, passkey = signed_in(address, invitation, name, PASSWORD)
    return member, name, browser, passkey


def verbs(shop, member):
    return [link.verb for link in history.links(shop.merchant_id, subject=f"staff/{member.id}")]


def code(secret, at=None):
    return f"{hotp_value(secret, int((at or time.time()) // 30)):06d}"


def with_totp(address, shop, role="auditor"):
    """Return somebody who has added a code generator, and its secret."""
    member, invitation, name = invited(shop, role)
    browser = Browser(address)
    assert browser.accept(invitation, name, PASSWORD) == 201
    assert browser.sign_in(name, PASSWORD) == 200
    assert browser.reauthenticate(PASSWORD) == 200
    secret = browser.auth("GET", "account/authenticators/totp")[1]["meta"]["secret"]
    assert browser.auth("POST", "account/authenticators/totp", {"code": code(secret)})[0] == 200
    return member, name, browser, secret


# Coming in -----------------------------------------------------------------------------------------------------------


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
    assert browser.auth("POST", "auth/2fa/reauthenticate", {"code": code(secret, time.time() + 30)})[0] == 400
    later_code = code(secret)
    db.rows("DELETE FROM people_memory")
    assert browser.auth("POST", "auth/2fa/reauthenticate", {"code": later_code})[0] == 200
    assert browser("GET", "/v1/stores")[0] == 200
    people.change(by=shop.owner, merchant_id=shop.merchant_id, id=member.id, settings=Settings("finance"))
    db.rows("DELETE FROM people_memory")
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
    outcomes = [b.auth("POST", "auth/2fa/authenticate", {"code": said})[0] for b in (first, second)]
    assert outcomes in ([200, 400], [400, 400])  # the second where the code's half minute has just ended
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


# Passkeys that must not open anything --------------------------------------------------------------------------------


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


# Sessions ------------------------------------------------------------------------------------------------------------


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


# Other sites ---------------------------------------------------------------------------------------------------------


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


# Guessing ------------------------------------------------------------------------------------------------------------


def test_who_is_not_there_looks_like_a_wrong_password(address, shop):
    member, invitation, name = invited(shop)
    Browser(address).accept(invitation, name, PASSWORD)
    disabled, second, gone = invited(shop)
    Browser(address).accept(second, gone, PASSWORD)
    people.disable(by=shop.owner, merchant_id=shop.merchant_id, id=disabled.id, reason="left")
    answers = []
    for username, password in ((name, "wrong-wrong-wrong"), ("nobody@nowhere", PASSWORD), (gone, PASSWORD)):
        browser = Browser(address)
        status, said = browser.auth("POST", "auth/login", {"username": username, "password": password})
        answers.append((status, said, sorted(browser.cookies)))
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == 400
    assert verbs(shop, member)[0] == "sign_in.failed"
    unknown = history.links(0, subject="staff/unknown")[0]
    assert (unknown.verb, unknown.actor, "nobody@nowhere" in str(unknown.detail)) == ("sign_in.failed", "nobody", False)


def test_guessing_is_slowed_down_and_locks_nobody_out(address, shop):
    _, invitation, name = invited(shop)
    _, passkey = signed_in(address, invitation, name, PASSWORD)
    db.rows("DELETE FROM people_memory")
    guesses = [Browser(address).sign_in(name, f"guess-guess-guess-{n}") for n in range(6)]
    assert guesses == [400] * 6
    assert Browser(address).sign_in(name, PASSWORD) == 400  # too many from here, the right one too
    assert Browser(address).answer(passkey, "login") == 200  # but a passkey cannot be guessed
    elsewhere = Browser(address)
    status, _ = elsewhere.auth(
        "POST", "auth/login", {"username": name, "password": PASSWORD}, **{PEER: seal_peer("198.51.100.7")}
    )
    assert status == 401  # from elsewhere the password is right, and the factor is asked for
    status, _ = Browser(address).auth(
        "POST", "auth/login", {"username": name, "password": PASSWORD}, **{PEER: f"198.51.100.8 {'0' * 32}"}
    )
    assert status == 400  # nobody but the front says where somebody comes from


@pytest.mark.parametrize("password", ["short", "elevenchars", "qwerty123456", "1Q2w3e4r5t6y", "x" * 1025])
def test_a_password_that_can_be_guessed_is_not_taken(address, shop, password):
    member, invitation, name = invited(shop)
    status, said = Browser(address)(
        "POST", "/auth/accept", {"invitation": invitation, "username": name, "password": password}
    )
    assert (status, said["code"]) == (422, "people_password_weak")
    assert queries.staff(shop.merchant_id, member.id).state == "invited"


def test_a_long_password_counts_to_its_last_character_and_is_kept_by_argon2id(address, shop, monkeypatch):
    monkeypatch.undo()
    _, invitation, name = invited(shop)
    password = "密码🔑" * 40
    assert Browser(address).accept(invitation, name, password) == 201
    assert Browser(address).sign_in(name, password) == 200
    assert Browser(address).sign_in(name, password[:-1]) == 400
    (kept,) = db.rows("SELECT password FROM auth_user WHERE username = %s", [name])
    assert kept.password.startswith("argon2$argon2id$v=19$m=65536,t=3,p=1$")


# Invitations and recovery --------------------------------------------------------------------------------------------


def test_an_invitation_is_good_once_and_for_a_week(address, shop, clock):
    _, invitation, name = invited(shop)
    wrong = [invitation[:-1] + ("A" if invitation[-1] != "A" else "B"), "hi_1_1_x", "", invitation.replace("hi", "hf")]
    for each in wrong:
        assert Browser(address).accept(each, name, PASSWORD) == 401
    for said in (None, [], {}, {"invitation": invitation, "password": 5}, {"invitation": invitation, "x": PASSWORD}):
        status, problem = Browser(address)("POST", "/auth/accept", said)
        assert (status, problem["code"]) == (422, "invalid")
        assert PASSWORD not in str(problem)
    assert Browser(address)("GET", "/auth/accept")[0] == 405
    assert Browser(address).accept(invitation, name, PASSWORD) == 201
    assert Browser(address).accept(invitation, name, PASSWORD) == 401
    _, late, other = invited(shop)
    clock.move(days=7)
    assert Browser(address).accept(late, other, PASSWORD) == 401


def test_a_name_is_taken_once(address, shop):
    _, invitation, name = invited(shop)
    Browser(address).accept(invitation, name, PASSWORD)
    member, second, _ = invited(shop)
    for username, status in ((name.upper(), 409), ("x", 422), ("with space", 422), ("名字名字", 422)):
        assert Browser(address).accept(second, username, PASSWORD) == status
    assert queries.staff(shop.merchant_id, member.id).state == "invited"


def test_two_persons_let_somebody_begin_anew_and_nobody_approves_for_three_days(address, shop, clock):
    member, name, browser, _ = here(address, shop)
    at = {"merchant_id": shop.merchant_id, "id": member.id}
    second = shop.hire("owner")
    assert people.recover(by=shop.owner, **at)[1] == ""
    with pytest.raises(people.SecondPersonNeeded):
        people.recover(by=shop.owner, **at)
    assert browser("GET", "/v1/stores")[0] == 200  # nothing has happened yet
    recovered, invitation = people.recover(by=second, **at)
    assert (recovered.state, recovered.approvals_blocked_until) == ("invited", clock.now() + timedelta(hours=72))
    assert browser("GET", "/v1/stores")[0] == 401
    assert all(each.removed_at for each in queries.passkeys(shop.merchant_id, member.id))
    fresh = Browser(address)
    assert fresh.accept(invitation, "", PASSWORD + "2") == 201
    assert fresh.sign_in(name, PASSWORD) == 400
    assert fresh.sign_in(name, PASSWORD + "2") == 200
    assert queries.holders(shop.merchant_id, "legal", clock.now()) == []
    clock.move(hours=72)
    assert [each.id for each in queries.holders(shop.merchant_id, "legal", clock.now())] == [member.id]
    assert {"recovery.asked", "recovery.done"} <= set(verbs(shop, member))


# Over the API --------------------------------------------------------------------------------------------------------


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
