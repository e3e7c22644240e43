"""The platform's people: what they see of a merchant without an access grant, with one, and after it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import transaction

from houfu.history import queries as history
from houfu.kernel import clock, db, isolation
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound
from houfu.merchants.models import Store
from houfu.orders.models import Order
from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actions import Settings
from houfu.people.actions.access import AccessAsked, AccessInvalid, AccessOwners, AccessUnneeded
from houfu.people.actor import AccessNeeded, PersonNeeded
from houfu.people.models import AccessGrant
from houfu.people.tests.somebody import PASSWORD
from houfu.testing.threads import in_threads
from houfu.testing.web import signed_in
from houfu.testing.world import OPERATOR, at_work, new_identity, open_shop


@pytest.fixture
def shop(db):
    made = open_shop(stores=2)
    made.earn(100_000)
    return made


@pytest.fixture
def visitor(db):
    """One of the platform's people."""
    return at_work(invited()[0])


def invited(identity=""):
    return people.invite(
        by=OPERATOR, merchant_id=0, name="平台小李", identity=identity or new_identity(), settings=Settings("operator")
    )


def ask(visitor, shop, **said):
    by = replace(visitor, duty=shop.merchant_id)
    return people.ask_access(by=by, merchant_id=shop.merchant_id, **{"reason": "排查一笔提现", "hours": 2, **said})


def give(shop, grant):
    return people.give_access(by=shop.owner, merchant_id=shop.merchant_id, id=grant.id)


def revoke(shop, grant):
    return people.revoke_access(by=shop.owner, merchant_id=shop.merchant_id, id=grant.id)


def let_in(visitor, shop, **said):
    return queries.let_in(visitor, str(give(shop, ask(visitor, shop, **said)).id))


def told(shop):
    return [link.verb for link in history.links(shop.merchant_id) if link.verb.startswith("access.")][::-1]


def test_without_a_grant_the_database_shows_nothing_of_a_merchant(shop, visitor):
    with isolation.acting(visitor):
        assert not Store.objects.exists()
        assert not Order.objects.exists()
        assert db.rows("SELECT count(*) AS n FROM ledger_account WHERE merchant_id > 0")[0].n == 0
        assert db.action(lambda: db.rows("UPDATE merchants_store SET name = 'x' RETURNING id"))() == []
    with pytest.raises(AccessNeeded):
        queries.everybody(visitor, shop.merchant_id)


def test_a_duty_is_towards_one_merchant_and_shows_no_other(shop, visitor):
    other = open_shop()
    on_duty = replace(visitor, duty=shop.merchant_id)
    with isolation.acting(on_duty):
        assert set(Store.objects.values_list("merchant_id", flat=True)) == {shop.merchant_id}
    with pytest.raises(AccessNeeded):
        on_duty.require("platform:write", other.merchant_id)


def test_with_a_grant_they_see_what_was_granted_of_that_merchant_alone(shop, visitor):
    other = open_shop()
    inside = let_in(visitor, shop, scopes=["orders:read", "limits:write"])
    assert inside.scopes == {"orders:read", "limits:write"}
    assert (inside.merchant_id, inside.staff_id, inside.person) == (shop.merchant_id, None, visitor.person)
    with isolation.acting(inside):
        assert set(Store.objects.values_list("merchant_id", flat=True)) == {shop.merchant_id}
    with pytest.raises(Forbidden):
        inside.require("payouts:read", shop.merchant_id)
    with pytest.raises(NotFound):
        inside.require("orders:read", other.merchant_id)


def test_a_grant_that_is_revoked_shows_nothing_from_the_next_statement_on(shop, visitor):
    inside = let_in(visitor, shop)
    grant_id = inside.grant_id
    with isolation.acting(inside), transaction.atomic():
        assert Order.objects.exists()
        in_threads(lambda _: people.revoke_access(by=shop.owner, merchant_id=shop.merchant_id, id=grant_id), [0])
        with pytest.raises(Exception, match="holds no more"):
            Order.objects.exists()
        transaction.set_rollback(True)
    with pytest.raises(db.AccessOver):
        db.action(lambda *, by: db.rows("SELECT id FROM merchants_store"))(by=inside)
    with pytest.raises(db.AccessOver):
        queries.let_in(visitor, str(grant_id))
    assert told(shop) == ["access.asked", "access.given", "access.revoked"]


def test_a_grant_holds_for_what_the_database_reads_with_several_hands(shop, visitor):
    with isolation.acting(let_in(visitor, shop)), transaction.atomic():
        for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
            db.rows(f"SET LOCAL {name} = 0")
        db.rows("SET LOCAL max_parallel_workers_per_gather = 2")
        plan = "\n".join(row[0] for row in db.rows("EXPLAIN SELECT count(*) FROM orders_order"))
        assert db.rows("SELECT count(*) AS n FROM orders_order")[0].n == 1, plan


def test_a_grant_runs_out_by_the_machines_clock_however_business_time_stands(shop, visitor, monkeypatch):
    asked = ask(visitor, shop, hours=1)
    before = clock.SystemClock().now() - timedelta(minutes=61)
    monkeypatch.setattr(clock, "machine_now", lambda: before)
    given = give(shop, asked)
    inside = queries.let_in(visitor, str(given.id))  # at that time it held
    monkeypatch.undo()
    with pytest.raises(db.AccessOver):
        queries.let_in(visitor, str(given.id))
    with pytest.raises(db.AccessOver):  # and the database says so by itself
        db.action(lambda *, by: db.rows("SELECT id FROM merchants_store"))(by=inside)


def test_nobody_comes_in_by_a_grant_that_is_not_given_or_not_theirs(shop, visitor):
    asked = ask(visitor, shop)
    with pytest.raises(db.AccessOver):
        queries.let_in(visitor, str(asked.id))
    give(shop, asked)
    another = at_work(invited()[0])
    for wrong in (str(asked.id), "x", "", "9" * 30, "１"):
        with pytest.raises(NotFound):
            queries.let_in(another, wrong)


def test_an_owner_alone_lets_somebody_in_and_never_themselves(shop, visitor):
    grant = ask(visitor, shop)
    for by in (shop.hire("finance"), shop.hire("regional_manager"), replace(visitor, duty=shop.merchant_id)):
        with pytest.raises(Forbidden):
            people.give_access(by=by, merchant_id=shop.merchant_id, id=grant.id)
    with pytest.raises(AccessOwners):
        people.give_access(by=OPERATOR, merchant_id=shop.merchant_id, id=grant.id)
    with pytest.raises(NotFound):
        people.give_access(by=open_shop().owner, merchant_id=shop.merchant_id, id=grant.id)
    assert AccessGrant.objects.get(merchant_id=shop.merchant_id, id=grant.id).state == "asked"


def test_one_person_with_two_accounts_does_not_let_themselves_in(shop):
    identity = new_identity()
    shop.owner = shop.hire("owner", identity=identity)
    grant = ask(at_work(invited(identity)[0]), shop)
    with pytest.raises(AccessOwners):
        give(shop, grant)
    assert not AccessGrant.objects.filter(merchant_id=shop.merchant_id, state="given").exists()


@pytest.mark.parametrize(
    "said", [{"hours": 9}, {"hours": 0}, {"scopes": ["payouts:write"]}, {"scopes": ["approvals:write"]}]
)
def test_more_than_can_be_granted_is_not_asked_for(shop, visitor, said):
    with pytest.raises(AccessInvalid):
        ask(visitor, shop, **said)
    assert told(shop) == []


def test_asking_twice_is_one_too_many_and_answers_are_final(shop, visitor):
    grant = ask(visitor, shop)
    with pytest.raises(AccessAsked):
        ask(visitor, shop)
    people.refuse_access(by=shop.owner, merchant_id=shop.merchant_id, id=grant.id)
    with pytest.raises(IllegalMove):
        give(shop, grant)
    assert told(shop) == ["access.asked", "access.refused"]
    again = ask(visitor, shop)
    people.revoke_access(by=replace(visitor, duty=shop.merchant_id), merchant_id=shop.merchant_id, id=again.id)
    with pytest.raises(IllegalMove):
        give(shop, again)


def test_the_terminal_asks_for_none_and_keys_cannot(shop, visitor):
    with pytest.raises(AccessUnneeded):
        people.ask_access(by=OPERATOR, merchant_id=shop.merchant_id, reason="x", hours=1)
    key = replace(visitor, kind="key", duty=shop.merchant_id)
    with pytest.raises(PersonNeeded):
        people.ask_access(by=key, merchant_id=shop.merchant_id, reason="x", hours=1)


# Over HTTP, where nobody but the database and the list of duties decides what a platform's session reaches ------------


@pytest.fixture
def platform_browser(address, own_shop):
    member, invitation = invited()
    browser, _ = signed_in(address, invitation, f"li-{member.id}@platform.example", PASSWORD)
    return browser


@pytest.fixture
def owners_browser(address, own_shop):
    member, invitation = people.invite(
        by=own_shop.owner,
        merchant_id=own_shop.merchant_id,
        name="王芳",
        identity=new_identity(),
        settings=Settings("owner"),
    )
    return signed_in(address, invitation, f"wang-{member.id}@shop.example", PASSWORD)[0]


def test_all_of_it_over_http(own_shop, platform_browser, owners_browser):
    platform, owner, place = platform_browser, owners_browser, f"/v1/merchants/{own_shop.merchant_id}"
    assert platform("GET", "/v1/stores")[1]["code"] == "merchant_key_needed"
    assert platform("GET", f"{place}/keys")[1]["code"] == "access_needed"
    status, asked = platform("POST", f"{place}/access-grants", {"reason": "排查", "hours": 8}, Idempotency_Key="k1")
    assert (status, asked["state"], asked["in_force"]) == (201, "asked", False)
    grants = f"{place}/access-grants/{asked['id']}"
    assert platform("GET", "/v1/stores", Houfu_Grant=str(asked["id"]))[1]["code"] == "access_over"
    assert owner("GET", f"{place}/access-grants")[1]["items"][0]["reason"] == "排查"
    assert owner("POST", f"{grants}:give", Idempotency_Key="k2")[1]["in_force"] is True
    inside = {"Houfu_Grant": str(asked["id"])}
    seen = platform("GET", "/v1/stores", **inside)[1]["items"]
    assert [store["id"] for store in seen] == own_shop.stores
    assert {link["verb"] for link in platform("GET", "/v1/history", **inside)[1]["items"]} >= {"access.given"}
    assert platform("POST", "/v1/payouts", {}, **inside)[0] in (403, 422)
    assert owner("POST", f"{grants}:revoke")[1]["state"] == "revoked"
    assert platform("GET", "/v1/stores", **inside)[1]["code"] == "access_over"


def test_a_change_under_a_grant_is_made_once_and_bears_the_grants_name(own_shop, platform_browser, owners_browser):
    place = f"/v1/merchants/{own_shop.merchant_id}"
    wanted = {"reason": "开店", "hours": 1, "scopes": ["merchants:read", "merchants:write"]}
    grant = platform_browser("POST", f"{place}/access-grants", wanted)[1]["id"]
    owners_browser("POST", f"{place}/access-grants/{grant}:give")
    store = {"code": "S9", "name": "新店", "channel_account_id": own_shop.account_id}
    said = [
        platform_browser("POST", "/v1/stores", store, Houfu_Grant=str(grant), Idempotency_Key="one") for _ in range(2)
    ]
    assert said[0] == said[1]
    assert said[0][0] == 201
    (link,) = history.links(own_shop.merchant_id, subject=f"store/{said[0][1]['id']}")
    assert link.actor == f"access/{grant}"


def test_duties_are_done_without_a_grant(own_shop, platform_browser):
    platform, place, store = platform_browser, f"/v1/merchants/{own_shop.merchant_id}", own_shop.store
    for number, (path, body, expected) in enumerate(
        [
            (f"{place}/verification", {"document": "营业执照"}, 200),
            (f"{place}/stores/{store}/grants", {"amount_fen": 100_000}, 200),
            (f"{place}/stores/{store}:freeze", {"reason": "disputes"}, 200),
            (f"{place}/stores/{store}:unfreeze", None, 200),
        ]
    ):
        assert platform("POST", path, body, Idempotency_Key=f"d{number}")[0] == expected, path
    about = f"merchant_id={own_shop.merchant_id}"
    status, case = platform(
        "POST", f"/v1/risk/cases?{about}", {"subject": f"store/{store}", "reason_class": "disputes"}
    )
    assert status == 201, case
    assert platform("POST", f"/v1/risk/cases/{case['id']}:investigate?{about}")[0] == 200
    assert platform("GET", f"/v1/risk/cases/{case['id']}?{about}")[0] == 200
    assert platform("GET", f"/v1/risk/inbox?{about}")[0] == 200
    assert platform("GET", "/v1/risk/rules")[0] == 200
    open_shop()
    assert len(platform("GET", "/v1/merchants")[1]["items"]) > 1
