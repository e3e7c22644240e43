"""The staff: who may invite, change and stop whom, and what each of them then sees and does."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection

from houfu.history import queries as history
from houfu.kernel import db
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound, Unauthenticated
from houfu.merchants import actions as merchants
from houfu.people import actions as people
from houfu.people import queries, rules
from houfu.people.actions import Settings
from houfu.people.actions.passkeys import PasskeyTaken
from houfu.people.actions.staff import IdentityUnreadable, LastOwner, OwnerExists, OwnTier, StaffInvalid
from houfu.people.actor import SCOPES, Actor, PersonNeeded, WholeMerchantNeeded, system
from houfu.people.models import Staff
from houfu.policies import queries as policies
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, at_work, new_identity, new_uscc, open_shop

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def shop():
    return open_shop(stores=2, own_limit_fen=0)


@pytest.fixture
def stranger():
    return open_shop(own_limit_fen=0)


def invite(shop, role="supervisor", by=None, identity=None, name="韩梅梅", **caps):
    return people.invite(
        by=by or shop.owner,
        merchant_id=shop.merchant_id,
        name=name,
        identity=identity or new_identity(),
        settings=Settings(role, **caps),
    )[0]


def seen(shop):
    """Everything about a merchant's staff that could have moved."""
    found = Staff.objects.filter(merchant_id=shop.merchant_id).order_by("id")
    return list(found.values()), len(history.links(shop.merchant_id))


def key_of(shop):
    """A key that carries all that a key can."""
    return Actor("key/1", "wang", shop.merchant_id, frozenset(SCOPES), kind="key")


def test_the_first_owner_is_invited_by_the_platform_and_invites_the_others(shop):
    assert queries.staff(shop.merchant_id, shop.owner.staff_id).role == "owner"
    clerk = shop.hire("clerk", stores=[shop.store])
    assert (clerk.kind, clerk.role, clerk.stores) == ("staff", "clerk", frozenset({shop.store}))
    assert (clerk.label, clerk.merchant_id) == (f"staff/{clerk.staff_id}", shop.merchant_id)
    link = history.links(shop.merchant_id)[0]
    assert (link.verb, link.actor, link.subject) == ("staff.invited", shop.owner.label, clerk.label)


def test_there_is_one_first_owner_however_many_ask_at_once(shop):
    before = seen(shop)
    with pytest.raises(OwnerExists):
        people.create_owner(by=OPERATOR, merchant_id=shop.merchant_id, name="x", identity=new_identity())
    assert seen(shop) == before

    empty = merchants.register(by=OPERATOR, name="空", uscc=new_uscc()).merchant_id

    def create(identity):
        return people.create_owner(by=OPERATOR, merchant_id=empty, name="x", identity=identity)

    outcomes = in_threads(create, [new_identity() for _ in range(4)])
    assert sum(isinstance(each, OwnerExists) for each in outcomes) == 3
    assert Staff.objects.filter(merchant_id=empty).count() == 1
    with pytest.raises(NotFound):
        people.create_owner(by=OPERATOR, merchant_id=10**15, name="x", identity=new_identity())


@pytest.mark.parametrize("role", sorted(set(rules.ROLES) - {"owner", "operator"}))
def test_only_an_owner_decides_on_the_staff(shop, role):
    by = shop.hire(role)
    before = seen(shop)
    for attempt in (
        lambda: invite(shop, by=by),
        lambda: people.change(by=by, merchant_id=shop.merchant_id, id=by.staff_id, settings=Settings("owner")),
        lambda: people.disable(by=by, merchant_id=shop.merchant_id, id=shop.assistant.staff_id, reason="x"),
        lambda: people.enable(by=by, merchant_id=shop.merchant_id, id=shop.assistant.staff_id),
        lambda: people.create_owner(by=by, merchant_id=shop.merchant_id, name="x", identity=new_identity()),
    ):
        with pytest.raises(Forbidden):
            attempt()
    assert seen(shop) == before


def test_no_key_and_no_job_decides_on_the_staff(shop):
    before = seen(shop)
    for by in (key_of(shop), system("worker")):
        with pytest.raises(PersonNeeded):
            invite(shop, by=by)
        with pytest.raises(PersonNeeded):
            people.disable(by=by, merchant_id=shop.merchant_id, id=shop.assistant.staff_id, reason="x")
        with pytest.raises(PersonNeeded):
            people.create_owner(by=by, merchant_id=shop.merchant_id, name="x", identity=new_identity())
    assert seen(shop) == before


def test_another_merchants_staff_is_not_there(shop, stranger):
    before = seen(stranger)
    member = stranger.assistant.staff_id
    with pytest.raises(NotFound):
        people.disable(by=shop.owner, merchant_id=stranger.merchant_id, id=member, reason="x")
    with pytest.raises(NotFound):
        people.disable(by=shop.owner, merchant_id=shop.merchant_id, id=member, reason="x")
    with pytest.raises(NotFound):
        queries.everybody(shop.owner, stranger.merchant_id)
    with pytest.raises(NotFound):
        queries.staff(shop.merchant_id, member)
    assert seen(stranger) == before


def test_a_second_account_of_the_same_identity_is_the_same_person(shop, stranger):
    identity = new_identity()
    first = shop.hire("clerk", identity=identity)
    again = shop.hire("supervisor", identity=f" {identity.lower()} ")
    elsewhere = stranger.hire("legal", identity=identity)
    assert first.label != again.label
    assert first.person == again.person == elsewhere.person
    assert shop.hire("clerk").person != first.person
    kept = db.rows("SELECT p::text AS row FROM people_person p")
    assert not any(identity in each.row for each in kept)


def test_nobody_decides_on_themselves(shop):
    identity = new_identity()
    owner = shop.hire("owner", identity=identity)
    other = shop.hire("clerk", identity=identity)
    before = seen(shop)
    for id in (owner.staff_id, other.staff_id):
        with pytest.raises(OwnTier):
            people.change(by=owner, merchant_id=shop.merchant_id, id=id, settings=Settings("regional_manager"))
    with pytest.raises(OwnTier):
        invite(shop, by=owner, role="risk_officer", identity=identity)
    assert seen(shop) == before
    people.disable(by=owner, merchant_id=shop.merchant_id, id=other.staff_id, reason="left")
    with pytest.raises(OwnTier):
        people.enable(by=owner, merchant_id=shop.merchant_id, id=other.staff_id)


@pytest.mark.parametrize(
    ("caps", "codes"),
    [
        ({"role": "chief"}, ["role_unknown"]),
        ({"role": "clerk", "stores": frozenset({10**12})}, ["store_unknown"]),
        ({"role": "supervisor", "daily_count": 0}, ["daily_count_beyond"]),
        ({"role": "supervisor", "daily_count": 6}, ["daily_count_beyond"]),
        ({"role": "regional_manager", "per_payout_fen": 5_000_001}, ["per_payout_beyond_tier"]),
        ({"role": "clerk", "per_payout_fen": 500_001, "monthly_fen": 500_001, "daily_count": 9},
         ["daily_count_beyond", "per_payout_beyond_tier", "monthly_beyond_tier"]),
        ({"role": "clerk"}, []),                                  # a clerk without a store would see all of them
        ({"role": "store_manager"}, []),
        ({"role": "regional_manager", "per_payout_fen": 0}, []),
        ({"role": "regional_manager", "monthly_fen": -1}, []),
        ({"role": "operator"}, []),                               # the platform's people are the platform's alone
        ({"role": "supervisor", "name": ""}, []),
        ({"role": "supervisor", "name": "x" * 101}, []),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused_with_every_reason(shop, caps, codes):
    before = seen(shop)
    with pytest.raises(StaffInvalid) as refused:
        invite(shop, **caps)
    assert [reason.code for reason in refused.value.reasons] == codes
    if "name" not in caps:
        with pytest.raises(StaffInvalid):
            people.change(
                by=shop.owner, merchant_id=shop.merchant_id, id=shop.assistant.staff_id, settings=Settings(**caps)
            )
    assert seen(shop) == before


def test_whoever_is_of_the_whole_merchant_is_bound_to_no_store(shop):
    for role in ("owner", "supervisor", "legal", "finance", "risk_officer", "auditor"):
        with pytest.raises(StaffInvalid):
            invite(shop, role=role, stores=frozenset({shop.store}))
    assert invite(shop, role="regional_manager", stores=frozenset({shop.store})).store_ids == [shop.store]


def test_a_store_of_another_merchant_is_unknown(shop, stranger):
    with pytest.raises(StaffInvalid) as refused:
        invite(shop, role="clerk", stores=frozenset({shop.store, stranger.store}))
    assert refused.value.reasons[0].figures == {"store_ids": [stranger.store]}


@pytest.mark.parametrize("identity", ["", "12345", "1" * 41, "33010 6199", "３３０１０６", "3301-06"])
def test_an_identity_that_cannot_be_is_refused(shop, identity):
    before = seen(shop)
    with pytest.raises(IdentityUnreadable):
        people.invite(
            by=shop.owner, merchant_id=shop.merchant_id, name="x", identity=identity, settings=Settings("auditor")
        )
    assert seen(shop) == before


def test_what_is_not_set_is_the_roles_and_the_policys(shop, clock):
    member = invite(shop, role="clerk", stores=frozenset({shop.store}))
    assert (member.daily_count, member.per_payout_fen, member.monthly_fen) == (5, None, None)
    capped = invite(shop, role="clerk", stores=frozenset({shop.store}), daily_count=2, per_payout_fen=100_000)
    assert (capped.daily_count, capped.per_payout_fen) == (2, 100_000)


def test_a_change_counts_at_once_and_says_what_it_changed(shop):
    clerk = shop.hire("clerk", stores=[shop.store])
    people.change(
        by=shop.owner,
        merchant_id=shop.merchant_id,
        id=clerk.staff_id,
        settings=Settings("store_manager", frozenset(shop.stores), 3, None, 1_000_000),
    )
    now = queries.actor_of_staff(queries.staff(shop.merchant_id, clerk.staff_id))
    assert (now.role, now.stores) == ("store_manager", frozenset(shop.stores))
    assert "limits:write" in now.scopes
    assert history.links(shop.merchant_id)[0].detail["changed"] == {
        "daily_count": [5, 3], "monthly_fen": [None, 1_000_000], "role": ["clerk", "store_manager"],
        "store_ids": [[shop.store], shop.stores],
    }  # fmt: skip


def test_a_change_to_the_same_leaves_no_link(shop):
    clerk = shop.hire("clerk", stores=[shop.store])
    before = seen(shop)
    people.change(
        by=shop.owner,
        merchant_id=shop.merchant_id,
        id=clerk.staff_id,
        settings=Settings("clerk", frozenset({shop.store})),
    )
    assert seen(shop) == before


def test_a_disabled_member_is_nobody_until_enabled_again(shop):
    id = shop.hire("legal").staff_id
    people.disable(by=shop.owner, merchant_id=shop.merchant_id, id=id, reason="left")
    with pytest.raises(Unauthenticated):
        queries.actor_of_staff(queries.staff(shop.merchant_id, id))
    with pytest.raises(IllegalMove):
        people.disable(by=shop.owner, merchant_id=shop.merchant_id, id=id, reason="again")
    people.enable(by=shop.owner, merchant_id=shop.merchant_id, id=id)
    assert queries.actor_of_staff(queries.staff(shop.merchant_id, id)).role == "legal"
    with pytest.raises(IllegalMove):
        people.enable(by=shop.owner, merchant_id=shop.merchant_id, id=id)


def test_an_invited_member_is_nobody_yet(shop, clock):
    with pytest.raises(Unauthenticated):
        queries.actor_of_staff(invite(shop))
    assert queries.holders(shop.merchant_id, "supervisor", clock.now()) == []


def test_the_last_owner_stays_unless_the_platform_stops_them(shop):
    second = shop.hire("owner")
    people.disable(by=second, merchant_id=shop.merchant_id, id=shop.owner.staff_id, reason="left")
    before = seen(shop)
    with pytest.raises(LastOwner):
        people.disable(by=second, merchant_id=shop.merchant_id, id=second.staff_id, reason="tired")
    assert seen(shop) == before
    people.disable(by=OPERATOR, merchant_id=shop.merchant_id, id=second.staff_id, reason="stolen")
    fresh, _ = people.create_owner(by=OPERATOR, merchant_id=shop.merchant_id, name="新", identity=new_identity())
    assert at_work(fresh).role == "owner"


def test_two_owners_who_disable_each_other_leave_one(shop):
    second = shop.hire("owner")

    def disable(pair):
        by, other = pair
        people.disable(by=by, merchant_id=shop.merchant_id, id=other.staff_id, reason="quarrel")

    outcomes = in_threads(disable, [(shop.owner, second), (second, shop.owner)])
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, LastOwner) for outcome in outcomes) == 1
    left = Staff.objects.filter(merchant_id=shop.merchant_id, role="owner", state="active")
    assert left.count() == 1


def test_an_owner_is_not_made_something_else_while_they_are_the_last(shop):
    second = shop.hire("owner")
    people.disable(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.owner.staff_id, reason="left")
    with pytest.raises(LastOwner):
        people.change(by=OPERATOR, merchant_id=shop.merchant_id, id=second.staff_id, settings=Settings("legal"))
    assert queries.staff(shop.merchant_id, second.staff_id).role == "owner"


def test_who_holds_a_role_is_active_and_not_held_back(shop, clock):
    first, second = shop.hire("legal"), shop.hire("legal")
    shop.hire("supervisor")
    ids = [first.staff_id, second.staff_id]
    assert [each.id for each in queries.holders(shop.merchant_id, "legal", clock.now())] == ids
    until = clock.now() + timedelta(hours=72)
    Staff.objects.filter(merchant_id=shop.merchant_id, id=ids[0]).update(approvals_blocked_until=until)
    assert [each.id for each in queries.holders(shop.merchant_id, "legal", clock.now())] == ids[1:]
    assert [each.id for each in queries.holders(shop.merchant_id, "legal", until)] == ids
    people.disable(by=shop.owner, merchant_id=shop.merchant_id, id=ids[1], reason="left")
    assert queries.holders(shop.merchant_id, "legal", clock.now()) == []


def test_a_passkey_that_was_removed_is_still_known_with_its_days(shop, clock):
    at = {"merchant_id": shop.merchant_id, "staff_id": shop.owner.staff_id}
    people.add_passkey(by=shop.owner, **at, credential_id=f"a{at}".encode(), public_key=b"cose")
    added = clock.now()
    clock.move(hours=1)
    people.remove_passkey(by=shop.owner, **at, credential_id=f"a{at}".encode())
    assert queries.passkeys(**at) == [queries.Passkey(f"a{at}".encode(), b"cose", added, clock.now())]
    with pytest.raises(NotFound):
        people.remove_passkey(by=shop.owner, **at, credential_id=f"a{at}".encode())
    with pytest.raises(PasskeyTaken):
        people.add_passkey(by=shop.owner, **at, credential_id=f"a{at}".encode(), public_key=b"other")
    assert [link.verb for link in history.links(shop.merchant_id)[:2]] == ["passkey.removed", "passkey.added"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE people_staff SET daily_count = 6 WHERE merchant_id = %s",
        "UPDATE people_staff SET store_ids = NULL, role = 'clerk' WHERE merchant_id = %s",
        "UPDATE people_staff SET person_id = 1 WHERE merchant_id = %s",
        "UPDATE people_staff SET merchant_id = 0 WHERE merchant_id = %s",
        "UPDATE people_staff SET role = 'operator' WHERE merchant_id = %s",
        "DELETE FROM people_staff WHERE merchant_id = %s",
        "DELETE FROM people_passkey WHERE merchant_id = %s",
        "UPDATE people_passkey SET public_key = '' WHERE merchant_id = %s",
        "UPDATE people_person SET identity_digest = '' WHERE id <> %s",
    ],
)
def test_the_database_keeps_the_law_of_people(shop, statement):
    before = seen(shop)
    with connection.cursor() as cursor, pytest.raises(DatabaseError):
        cursor.execute(statement, [shop.merchant_id])
    assert seen(shop) == before


@pytest.mark.parametrize(("kind", "person"), [("staff", True), ("operator", True), ("key", False), ("system", False)])
def test_who_is_a_person(kind, person):
    by = Actor("x/1", "wang", 7, frozenset(), kind=kind)
    if person:
        by.require_person()
    else:
        with pytest.raises(PersonNeeded):
            by.require_person()


def test_another_store_looks_as_if_it_were_not_there():
    by = Actor("staff/1", "person/1", 7, frozenset({"orders:read"}), kind="staff", stores=frozenset({1, 2}))
    by.require("orders:read", 7, 2)
    by.require("orders:read", 7)
    with pytest.raises(NotFound):
        by.require("orders:read", 7, 3)
    with pytest.raises(Forbidden):
        by.require("orders:write", 7, 3)
    with pytest.raises(WholeMerchantNeeded):
        by.require_whole()


def test_every_role_has_scopes_that_exist_and_nobody_but_the_platform_has_the_platforms():
    for role, scopes in rules.ROLES.items():
        assert scopes <= set(SCOPES)
        assert ("platform:write" in scopes) == (role == "operator")
    assert rules.ROLES["operator"].isdisjoint({"approvals:write", "beneficiaries:write", "payouts:write"})
    assert all(role in rules.PASSKEY_ROLES for role, scopes in rules.ROLES.items() if "approvals:write" in scopes)
    assert {"owner", "finance", "legal", "risk_officer", "supervisor"} <= rules.PASSKEY_ROLES
    assert rules.PASSKEY_ROLES.isdisjoint({"clerk", "store_manager", "regional_manager", "auditor"})


def test_the_tiers_are_those_of_the_policy(clock):
    staff = policies.at(clock.now()).staff
    assert [rules.tier(role, staff) for role in ("clerk", "store_manager", "regional_manager", "owner", "legal")] == [
        staff.clerk, staff.store_manager, staff.regional_manager, staff.above, None,
    ]  # fmt: skip
