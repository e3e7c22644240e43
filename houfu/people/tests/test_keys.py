"""API keys: who stands behind a token, what it opens, and when it stops."""

import hashlib
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection

from houfu.history import queries as history
from houfu.kernel import db, versions
from houfu.kernel.errors import Forbidden, NotFound, Unauthenticated
from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actions.keys import KeyIncomplete, KeyLifeTooLong, PersonalScope, PlatformScope, UnknownScope
from houfu.people.actor import KEY_SCOPES, PERSONAL, SCOPES, Actor, operator, system
from houfu.testing.world import OPERATOR, open_shop

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def shop():
    return open_shop(own_limit_fen=0)


@pytest.fixture
def stranger():
    return open_shop(own_limit_fen=0)


def make(shop, by=None, **said):
    asked = {"name": "erp", "person": "王芳", "scopes": ["orders:read", "orders:write"], **said}
    return people.create_key(**{"by": by or shop.owner, "merchant_id": shop.merchant_id, **asked})


def seen(shop):
    """Everything about a merchant's keys that could have moved."""
    keys = [(key.id, key.scopes, key.revoked_at) for key in queries.keys(shop.merchant_id)]
    return keys, len(history.links(shop.merchant_id))


def test_a_token_acts_for_a_person_of_its_merchant_with_its_scopes(shop):
    key, token = make(shop)
    assert queries.actor_of(token) == Actor(
        label=f"key/{key.id}",
        person=shop.owner.person,
        merchant_id=shop.merchant_id,
        scopes=frozenset({"orders:read", "orders:write"}),
        kind="key",
        api_version=versions.NEWEST,
    )
    link = history.links(shop.merchant_id)[0]
    assert (link.verb, link.subject, link.actor) == ("key.created", f"key/{key.id}", shop.owner.label)


def test_a_key_of_a_member_has_their_role_and_stores_and_ends_with_them(shop):
    clerk = shop.hire("clerk")
    _, token = make(shop, by=OPERATOR, staff_id=clerk.staff_id, scopes=["orders:read", "ledger:read"])
    actor = queries.actor_of(token)
    assert (actor.kind, actor.person, actor.role, actor.stores) == ("key", clerk.person, "clerk", clerk.stores)
    assert actor.scopes == {"orders:read"}
    before = seen(shop)
    for by, member in [(shop.owner, clerk.staff_id), (OPERATOR, 10**9)]:
        with pytest.raises((Forbidden, NotFound)):
            make(shop, by=by, staff_id=member)
    assert seen(shop) == before
    people.disable(by=shop.owner, merchant_id=shop.merchant_id, id=clerk.staff_id, reason="离职")
    with pytest.raises(Unauthenticated):
        queries.actor_of(token)


def test_a_key_of_the_platform_belongs_to_no_merchant():
    _, token = people.create_key(by=OPERATOR, merchant_id=0, name="ops", person="li", scopes=KEY_SCOPES)
    actor = queries.actor_of(token)
    assert (actor.merchant_id, actor.scopes) == (None, frozenset(KEY_SCOPES))


def test_of_a_secret_its_digest_alone_is_kept(shop):
    key, token = make(shop)
    secret = token.split("_", 3)[3]
    assert bytes(key.secret_digest) == hashlib.sha256(secret.encode()).digest()
    kept = db.rows("SELECT k::text AS row FROM people_api_key k WHERE merchant_id = %s", [shop.merchant_id])
    told = db.rows("SELECT l::text AS row FROM history_link l WHERE merchant_id = %s", [shop.merchant_id])
    assert not any(secret in each.row or secret.encode().hex() in each.row for each in [*kept, *told])


def test_no_two_secrets_are_alike_and_none_is_short(shop):
    secrets = {make(shop)[1].split("_", 3)[3] for _ in range(20)}
    assert len(secrets) == 20
    assert min(map(len, secrets)) >= 43  # 256 bits, as base64 has them


def test_whatever_is_no_valid_token_is_refused_alike(shop, stranger):
    key, token = make(shop)
    other, other_token = make(stranger)
    secret = token.split("_", 3)[3]
    m, k = shop.merchant_id, key.id
    wrong = [
        "", "hf", "hf_", "hf___", "_".join(["hf"] * 4), secret, token[:-1], token + "A", token.upper(), f" {token}",
        token[:-1] + ("A" if token[-1] != "A" else "B"), f"xx_{m}_{k}_{secret}", f"hf_{m}_{k}_", f"hf_{m}_{k}",
        f"hf_{m}_{other.id}_{secret}", f"hf_{stranger.merchant_id}_{k}_{secret}", f"hf_0_{k}_{secret}",
        f"hf_{m}_{k}_{other_token.split('_', 3)[3]}", f"hf_-{m}_{k}_{secret}", f"hf_{m}_+{k}_{secret}",
        f"hf_{m}_ {k}_{secret}", f"hf_{m}_{'9' * 18}_{secret}", f"hf_{m}_{'9' * 30}_{secret}", f"hf_{m}_１_{secret}",
        f"hf_{m}_²_{secret}", f"hf_{m}_{k}_{secret}\x00", f"hf_{m}_{k}_é",
    ]  # fmt: skip
    said = set()
    for each in wrong:
        with pytest.raises(Unauthenticated) as refused:
            queries.actor_of(each)
        said.add(str(refused.value))
    assert len(said) == 1
    assert queries.actor_of(token).merchant_id == m


def test_a_revoked_key_opens_nothing_from_that_moment_on(shop, clock):
    key, token = make(shop)
    _, other = make(shop)
    people.revoke_key(by=shop.owner, merchant_id=shop.merchant_id, id=key.id)
    with pytest.raises(Unauthenticated):
        queries.actor_of(token)
    assert queries.actor_of(other)
    assert history.links(shop.merchant_id)[0].verb == "key.revoked"


def test_a_key_revoked_twice_was_revoked_the_first_time(shop, clock):
    key, _ = make(shop)
    people.revoke_key(by=shop.owner, merchant_id=shop.merchant_id, id=key.id)
    before = seen(shop)
    clock.move(hours=1)
    people.revoke_key(by=shop.owner, merchant_id=shop.merchant_id, id=key.id)
    assert seen(shop) == before


def test_a_key_ends_with_its_last_day(shop, clock):
    key, token = make(shop, days=30)
    assert key.expires_at == clock.now() + timedelta(days=30)
    clock.at = key.expires_at - timedelta(microseconds=1)
    assert queries.actor_of(token)
    clock.at = key.expires_at
    with pytest.raises(Unauthenticated):
        queries.actor_of(token)


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"scopes": ["orders:read", "orders:delete"]}, UnknownScope),
        ({"scopes": ["ORDERS:READ"]}, UnknownScope),
        ({"scopes": []}, KeyIncomplete),
        ({"scopes": ["platform:write"]}, PlatformScope),
        *[({"scopes": ["orders:read", scope]}, PersonalScope) for scope in sorted(PERSONAL)],
        ({"days": 367}, KeyLifeTooLong),
        ({"days": 0}, KeyLifeTooLong),
        ({"days": -1}, KeyLifeTooLong),
        ({"name": ""}, KeyIncomplete),
        ({"name": "x" * 101}, KeyIncomplete),
        ({"person": ""}, KeyIncomplete),  # somebody has to answer for it
        ({"person": "王" * 101}, KeyIncomplete),
    ],
)
def test_a_key_that_cannot_be_is_not_made(shop, said, refusal):
    before = seen(shop)
    with pytest.raises(refusal):
        make(shop, by=OPERATOR, **said)
    assert seen(shop) == before


def test_nobody_gives_more_than_they_have(shop):
    clerk = Actor("key/1", "zhao", shop.merchant_id, frozenset({"merchants:write", "orders:read"}))
    before = seen(shop)
    with pytest.raises(Forbidden) as refused:
        make(shop, by=clerk, scopes=["orders:read", "payouts:write"])
    assert refused.value.details == {"scopes": ["payouts:write"]}
    assert seen(shop) == before
    assert make(shop, by=clerk, scopes=["orders:read"])


def test_keys_are_made_and_revoked_by_those_who_may(shop, stranger):
    key, token = make(shop)
    reader = Actor("key/1", "zhao", shop.merchant_id, frozenset(SCOPES) - {"merchants:write", "platform:write"})
    before = seen(shop)
    for by, refusal in ((reader, Forbidden), (stranger.owner, NotFound)):
        with pytest.raises(refusal):
            make(shop, by=by)
        with pytest.raises(refusal):
            people.revoke_key(by=by, merchant_id=shop.merchant_id, id=key.id)
    with pytest.raises(NotFound):  # one's own, but not this one
        people.revoke_key(by=stranger.owner, merchant_id=stranger.merchant_id, id=key.id)
    assert seen(shop) == before
    assert queries.actor_of(token)


def test_the_platforms_keys_are_the_platforms_business(shop):
    _, token = people.create_key(by=OPERATOR, merchant_id=0, name="ops", person="li", scopes=["policies:read"])
    before = queries.keys(0)
    with pytest.raises(Forbidden):
        people.create_key(by=shop.owner, merchant_id=0, name="x", person="wang", scopes=["orders:read"])
    with pytest.raises(Forbidden):
        people.revoke_key(by=shop.owner, merchant_id=0, id=before[0].id)
    assert queries.keys(0) == before
    assert queries.actor_of(token)


@pytest.mark.parametrize(
    ("actor", "scope", "merchant_id", "refusal"),
    [
        (Actor("key/1", "wang", 7, frozenset({"orders:read"})), "orders:read", 7, None),
        (Actor("key/1", "wang", 7, frozenset({"orders:read"})), "orders:read", None, None),
        (Actor("key/1", "wang", 7, frozenset({"orders:read"})), "orders:read", 8, NotFound),
        (Actor("key/1", "wang", 7, frozenset({"orders:read"})), "orders:read", 0, NotFound),
        (Actor("key/1", "wang", 7, frozenset({"orders:read"})), "orders:write", 7, Forbidden),
        (Actor("key/1", "wang", 7, frozenset({"orders:read"})), "orders:write", 8, Forbidden),
        (Actor("key/1", "wang", 7, frozenset()), "", 7, Forbidden),
        (Actor("key/2", "li", None, frozenset({"orders:read"})), "orders:read", 8, None),
        (Actor("key/2", "li", None, frozenset({"orders:read"})), "platform:write", None, Forbidden),
        (operator("li"), "platform:write", None, None),
        (system("worker"), "payouts:write", 8, None),
    ],
)
def test_what_an_actor_may_do_and_to_whose_things(actor, scope, merchant_id, refusal):
    if refusal is None:
        actor.require(scope, merchant_id)
    else:
        with pytest.raises(refusal):
            actor.require(scope, merchant_id)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE people_api_key SET scopes = '{payouts:write}' WHERE merchant_id = %s",
        "UPDATE people_api_key SET secret_digest = '' WHERE merchant_id = %s",
        "UPDATE people_api_key SET expires_at = expires_at + interval '1 day' WHERE merchant_id = %s",
        "UPDATE people_api_key SET merchant_id = 0 WHERE merchant_id = %s",
        "DELETE FROM people_api_key WHERE merchant_id = %s",
    ],
)
def test_a_key_is_never_widened_afterwards(shop, statement):
    make(shop)
    before = seen(shop)
    with connection.cursor() as cursor, pytest.raises(DatabaseError):
        cursor.execute(statement, [shop.merchant_id])
    assert seen(shop) == before
