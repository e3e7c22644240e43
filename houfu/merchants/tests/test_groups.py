"""Groups: stores of one legal person under one principal, ten at most (G2, G3)."""

import pytest
from django.db import IntegrityError, connection

from houfu.history import queries as history
from houfu.kernel import clock as clocks
from houfu.kernel.errors import NotFound
from houfu.merchants import actions as merchants
from houfu.merchants import queries
from houfu.merchants.actions import AlreadyGrouped, GroupFull, OtherPrincipal, UnknownChannelAccount, UsccNotVerified
from houfu.merchants.models import Group, Store
from houfu.policies import actions as policies
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, new_uscc, open_shop

pytestmark = pytest.mark.usefixtures("db")


def form(shop, stores, account_id=None):
    return merchants.form_group(
        by=shop.owner,
        merchant_id=shop.merchant_id,
        name="华东",
        channel_account_id=account_id or shop.account_id,
        store_ids=stores,
    )


def join(shop, group, store_id):
    merchants.join_group(by=shop.owner, merchant_id=shop.merchant_id, group_id=group.id, store_id=store_id)


def members(shop, group):
    found = Store.objects.filter(merchant_id=shop.merchant_id, group_id=group.id).order_by("id")
    return [store.id for store in found]


def size(shop, group):
    return Group.objects.get(merchant_id=shop.merchant_id, id=group.id).size


def seen(shop):
    """Everything about a merchant's groups that could have moved."""
    return (
        [(group.id, group.size) for group in queries.groups(OPERATOR, shop.merchant_id)],
        list(Store.objects.filter(merchant_id=shop.merchant_id).order_by("id").values_list("id", "group_id")),
        len(history.links(shop.merchant_id)),
    )


def other_principal(shop):
    """Open another account, and a store that collects under it."""
    account = merchants.open_channel_account(
        by=shop.owner, merchant_id=shop.merchant_id, channel="simulator", principal=f"{shop.principal}B"
    )
    store = merchants.open_store(
        by=shop.owner, merchant_id=shop.merchant_id, code="B", name="他店", channel_account_id=account.id
    )
    return account.id, store.id


def test_a_group_is_formed_of_its_stores():
    shop = open_shop(stores=3, own_limit_fen=0)
    group = form(shop, shop.stores[:2])
    assert (members(shop, group), group.size) == (shop.stores[:2], 2)
    join(shop, group, shop.stores[2])
    assert (members(shop, group), size(shop, group)) == (shop.stores, 3)
    told = [(link.verb, link.detail.get("store_id")) for link in history.links(shop.merchant_id)[:4]]
    assert told == [*(("group.joined", id) for id in reversed(shop.stores)), ("group.formed", None)]


def test_a_group_needs_a_verified_code():
    """G2: the same legal person is known by a verified code."""
    merchant_id = merchants.register(by=OPERATOR, name="某某", uscc=new_uscc()).merchant_id
    account = merchants.open_channel_account(by=OPERATOR, merchant_id=merchant_id, channel="simulator", principal="P1")
    formed = {
        "by": OPERATOR,
        "merchant_id": merchant_id,
        "name": "x",
        "channel_account_id": account.id,
        "store_ids": [],
    }
    with pytest.raises(UsccNotVerified):
        merchants.form_group(**formed)
    assert queries.groups(OPERATOR, merchant_id) == []
    merchants.verify(by=OPERATOR, merchant_id=merchant_id, document="营业执照")
    assert merchants.form_group(**formed).size == 0


def test_stores_of_another_legal_person_are_not_there_to_be_grouped():
    """G2."""
    shop, stranger = open_shop(stores=2, own_limit_fen=0), open_shop(own_limit_fen=0)
    group = form(shop, shop.stores[:1])
    before = seen(shop), seen(stranger)
    with pytest.raises(NotFound):
        form(shop, [shop.stores[1], stranger.store])
    with pytest.raises(NotFound):
        join(shop, group, stranger.store)
    with pytest.raises(NotFound):
        merchants.join_group(
            by=stranger.owner, merchant_id=stranger.merchant_id, group_id=group.id, store_id=stranger.store
        )
    with pytest.raises(NotFound):
        merchants.join_group(
            by=stranger.owner, merchant_id=shop.merchant_id, group_id=group.id, store_id=shop.stores[1]
        )
    with pytest.raises(UnknownChannelAccount):
        form(shop, [], account_id=stranger.account_id)
    assert (seen(shop), seen(stranger)) == before


def test_stores_under_another_principal_do_not_join():
    """G2."""
    shop = open_shop(stores=2, own_limit_fen=0)
    account_id, odd_store = other_principal(shop)
    group = form(shop, shop.stores[:1])
    before = seen(shop)
    with pytest.raises(OtherPrincipal):
        join(shop, group, odd_store)
    with pytest.raises(OtherPrincipal):
        form(shop, [shop.stores[1], odd_store])
    with pytest.raises(OtherPrincipal):
        form(shop, [shop.stores[1]], account_id=account_id)
    assert seen(shop) == before
    assert form(shop, [odd_store], account_id=account_id).size == 1


def test_the_database_itself_lets_no_store_into_a_group_of_another_principal_or_person():
    shop, stranger = open_shop(stores=1, own_limit_fen=0), open_shop(own_limit_fen=0)
    _, odd_store = other_principal(shop)
    group = form(shop, [])
    for merchant_id, store_id in ((shop.merchant_id, odd_store), (stranger.merchant_id, stranger.store)):
        with connection.cursor() as cursor, pytest.raises(IntegrityError) as refused:
            cursor.execute(
                "UPDATE merchants_store SET group_id = %s WHERE merchant_id = %s AND id = %s",
                [group.id, merchant_id, store_id],
            )
        assert refused.value.__cause__.diag.constraint_name == "merchants_group_one_principal"
    assert members(shop, group) == []


def test_a_store_is_in_one_group():
    shop = open_shop(stores=2, own_limit_fen=0)
    first, second = form(shop, shop.stores[:1]), form(shop, shop.stores[1:])
    before = seen(shop)
    for group in (first, second):
        with pytest.raises(AlreadyGrouped):
            join(shop, group, shop.store)
    with pytest.raises(AlreadyGrouped):
        form(shop, [shop.store])
    assert seen(shop) == before


def test_ten_stores_are_a_group_and_eleven_are_not():
    """G3."""
    shop = open_shop(stores=12, own_limit_fen=0)
    before = seen(shop)
    with pytest.raises(GroupFull) as refused:
        form(shop, shop.stores[:11])
    assert refused.value.details == {"max_stores": 10}
    assert seen(shop) == before
    full = form(shop, shop.stores[:10])
    before = seen(shop)
    with pytest.raises(GroupFull):
        join(shop, full, shop.stores[10])
    assert seen(shop) == before
    assert form(shop, shop.stores[10:]).size == 2  # a legal person may have several groups


def test_of_twelve_who_join_at_once_ten_are_in():
    """G3, I-21."""
    shop = open_shop(stores=12, own_limit_fen=0)
    group = form(shop, [])
    outcomes = in_threads(lambda store_id: join(shop, group, store_id), shop.stores)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["GroupFull"] * 2 + ["NoneType"] * 10
    inside = [id for id, outcome in zip(shop.stores, outcomes, strict=True) if outcome is None]
    assert members(shop, group) == inside
    assert size(shop, group) == 10
    joined = [link for link in history.links(shop.merchant_id) if link.verb == "group.joined"]
    assert sorted(link.detail["store_id"] for link in joined) == inside


def test_a_store_that_joins_two_groups_at_once_is_in_one():
    shop = open_shop(stores=1, own_limit_fen=0)
    groups = [form(shop, []) for _ in range(6)]
    outcomes = in_threads(lambda group: join(shop, group, shop.store), groups)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyGrouped"] * 5 + ["NoneType"]
    sizes = [size(shop, group) for group in groups]
    assert sizes == [len(members(shop, group)) for group in groups]
    assert sum(sizes) == 1


def test_how_many_stores_are_a_group_is_the_pack_of_the_day(fresh_db, clock):
    policies.load(
        by=OPERATOR,
        text='version = "x"\neffective_from = 2025-11-11T00:00:00+08:00\ntitle = "x"\n'
        'source = "for this test alone"\n[pools]\nmax_stores = 2\n',
    )
    shop = open_shop(stores=4, own_limit_fen=0)
    group = form(shop, shop.stores[:2])
    clock.at = clocks.shanghai(2025, 11, 10, 23, 59, 59)
    join(shop, group, shop.stores[2])
    clock.at = clocks.shanghai(2025, 11, 11)
    with pytest.raises(GroupFull):
        join(shop, group, shop.stores[3])
    assert members(shop, group) == shop.stores[:3]


def test_a_group_that_is_not_there_has_no_room():
    shop = open_shop(own_limit_fen=0)
    before = seen(shop)
    with pytest.raises(NotFound):
        merchants.join_group(by=shop.owner, merchant_id=shop.merchant_id, group_id=0, store_id=shop.store)
    assert seen(shop) == before
