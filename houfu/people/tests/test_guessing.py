"""Guessing passwords, invitations and names, and beginning anew by two persons."""

from datetime import timedelta

import pytest

from houfu.history import queries as history
from houfu.kernel import db
from houfu.people import actions as people
from houfu.people import queries
from houfu.people.sign_in.guard import PEER, seal_peer
from houfu.people.tests.somebody import PASSWORD, here, invited, verbs
from houfu.testing.web import Browser, signed_in

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def shop(own_shop):
    return own_shop


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
