"""Legal persons, their accounts at channels, their stores, and the states of a store."""

import pytest
from django.db import IntegrityError, connection

from houfu.history import queries as history
from houfu.kernel.db import OutOfRange
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound
from houfu.merchants import actions as merchants
from houfu.merchants import queries
from houfu.merchants.actions import BadField, CodeTaken, UnknownChannelAccount
from houfu.merchants.models import Merchant, Store
from houfu.testing.world import OPERATOR, new_uscc, open_shop

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def shop():
    return open_shop(own_limit_fen=0)


@pytest.fixture
def stranger():
    return open_shop(own_limit_fen=0)


def open_store(shop, by=None, **said):
    asked = {"code": "HZ02", "name": "西湖店", "channel_account_id": shop.account_id, **said}
    return merchants.open_store(by=by or shop.owner, merchant_id=shop.merchant_id, **asked)


def open_account(shop, **said):
    asked = {"channel": "simulator", "principal": f"P{shop.merchant_id}", **said}
    return merchants.open_channel_account(by=shop.owner, merchant_id=shop.merchant_id, **asked)


def seen(shop):
    """Everything about a merchant that could have moved."""
    return (
        Merchant.objects.filter(merchant_id=shop.merchant_id).values().get(),
        list(Store.objects.filter(merchant_id=shop.merchant_id).order_by("id").values()),
        len(queries.channel_accounts_of(OPERATOR, shop.merchant_id)),
        len(history.links(shop.merchant_id)),
    )


def store_of(shop):
    return queries.store(shop.merchant_id, shop.store)


def test_a_merchant_begins_unverified_and_is_verified_against_a_document(clock):
    merchant = merchants.register(by=OPERATOR, name="杭州某某服饰有限公司", uscc=new_uscc())
    assert merchant.uscc_verified_at is None
    merchants.verify(by=OPERATOR, merchant_id=merchant.merchant_id, document="营业执照")
    assert Merchant.objects.get(merchant_id=merchant.merchant_id).uscc_verified_at == clock.now()
    newest = history.links(merchant.merchant_id)
    assert [(link.verb, link.detail) for link in newest] == [
        ("merchant.verified", {"document": "营业执照"}),
        ("merchant.registered", {"name": "杭州某某服饰有限公司", "uscc": merchant.uscc}),
    ]


def test_only_the_platform_registers_verifies_and_freezes(shop):
    before = seen(shop), Merchant.objects.count()
    at = {"by": shop.owner, "merchant_id": shop.merchant_id}
    for forbidden in (
        lambda: merchants.register(by=shop.owner, name="x", uscc=new_uscc()),
        lambda: merchants.verify(**at, document="x"),
        lambda: merchants.freeze_store(**at, id=shop.store, reason="x"),
        lambda: merchants.unfreeze_store(**at, id=shop.store),
    ):
        with pytest.raises(Forbidden):
            forbidden()
    assert (seen(shop), Merchant.objects.count()) == before


def test_nobody_is_verified_who_is_not_there():
    with pytest.raises(NotFound):
        merchants.verify(by=OPERATOR, merchant_id=10**15, document="x")
    assert history.links(10**15) == []


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_a_merchant_has_a_name_of_fair_length(name):
    before = Merchant.objects.count()
    with pytest.raises(BadField):
        merchants.register(by=OPERATOR, name=name, uscc=new_uscc())
    assert Merchant.objects.count() == before


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"code": "S1"}, CodeTaken),
        ({"code": ""}, BadField),
        ({"code": "店"}, BadField),
        ({"code": "a b"}, BadField),
        ({"code": "x" * 65}, BadField),
        ({"name": ""}, BadField),
        ({"name": "店" * 201}, BadField),
        ({"channel_account_id": 0}, UnknownChannelAccount),
        ({"channel_account_id": 10**20}, OutOfRange),
    ],
)
def test_a_store_that_cannot_be_is_not_opened(shop, said, refusal):
    before = seen(shop)
    with pytest.raises(refusal):
        open_store(shop, **said)
    assert seen(shop) == before


def test_a_store_is_opened_under_an_account_of_its_own_merchant(shop, stranger):
    before = seen(shop), seen(stranger)
    with pytest.raises(UnknownChannelAccount):
        open_store(shop, channel_account_id=stranger.account_id)
    with pytest.raises(NotFound):
        open_store(shop, by=stranger.owner)
    assert (seen(shop), seen(stranger)) == before
    assert open_store(shop, code="HZ02").code == open_store(stranger, code="HZ02").code  # codes are each merchant's own


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        ({"channel": "Simulator"}, BadField),
        ({"channel": ""}, BadField),
        ({"principal": ""}, BadField),
        ({"principal": "2088 1"}, BadField),
        ({"principal": "x" * 65}, BadField),
        ({"maturity_days": -1}, BadField),
        ({"maturity_days": 91}, BadField),
    ],
)
def test_a_channel_account_that_cannot_be_is_not_opened(shop, said, refusal):
    before = seen(shop)
    with pytest.raises(refusal):
        open_account(shop, **said)
    assert seen(shop) == before


def test_a_principal_is_told_once(shop):
    before = seen(shop)
    with pytest.raises(CodeTaken):
        open_account(shop, principal=shop.principal)
    assert seen(shop) == before
    assert open_account(shop, principal=shop.principal, channel="other").principal == shop.principal


def test_a_store_is_frozen_for_a_reason_and_works_again(shop):
    at = {"by": OPERATOR, "merchant_id": shop.merchant_id, "id": shop.store}
    assert (store_of(shop).state, store_of(shop).frozen_for) == ("active", None)
    merchants.freeze_store(**at, reason="frequency")
    assert (store_of(shop).state, store_of(shop).frozen_for) == ("frozen", "frequency")
    merchants.unfreeze_store(**at)
    assert (store_of(shop).state, store_of(shop).frozen_for) == ("active", None)
    assert [link.verb for link in history.links(shop.merchant_id)[:2]] == ["store.unfrozen", "store.frozen"]


def test_a_frozen_store_is_not_frozen_again_and_an_active_one_not_unfrozen(shop):
    at = {"by": OPERATOR, "merchant_id": shop.merchant_id, "id": shop.store}
    before = seen(shop)
    with pytest.raises(IllegalMove):
        merchants.unfreeze_store(**at)
    assert seen(shop) == before
    merchants.freeze_store(**at, reason="frequency")
    before = seen(shop)
    with pytest.raises(IllegalMove):
        merchants.freeze_store(**at, reason="beneficiary")
    assert seen(shop) == before


def test_a_store_is_frozen_as_its_own_merchants(shop, stranger):
    before = seen(shop), seen(stranger)
    with pytest.raises(NotFound):
        merchants.freeze_store(by=OPERATOR, merchant_id=stranger.merchant_id, id=shop.store, reason="x")
    assert (seen(shop), seen(stranger)) == before


@pytest.mark.parametrize("change", ["state = 'frozen'", "frozen_for = 'x'", "state = 'asleep'"])
def test_the_database_keeps_a_freeze_and_its_reason_together(shop, change):
    with connection.cursor() as cursor, pytest.raises(IntegrityError):
        cursor.execute(f"UPDATE merchants_store SET {change} WHERE merchant_id = %s", [shop.merchant_id])
    assert store_of(shop).state == "active"


def test_sharing_is_off_until_a_store_switches_it_on_and_is_told_once(shop):
    at = {"by": shop.owner, "merchant_id": shop.merchant_id, "id": shop.store}
    assert store_of(shop).sharing is False
    for wanted in (True, True, False, False):
        merchants.set_sharing(**at, sharing=wanted)
        assert store_of(shop).sharing is wanted
    told = [link.verb for link in history.links(shop.merchant_id, subject=f"store/{shop.store}")]
    assert told[:3] == ["store.sharing_off", "store.sharing_on", "store.opened"]


def test_only_who_may_change_the_merchant_switches_sharing(shop, stranger):
    for by, error in ((shop.hire("store_manager"), Forbidden), (stranger.owner, NotFound)):
        before = seen(shop)
        with pytest.raises(error):
            merchants.set_sharing(by=by, merchant_id=shop.merchant_id, id=shop.store, sharing=True)
        assert seen(shop) == before
        assert store_of(shop).sharing is False


def test_another_merchants_things_look_as_if_they_were_not_there(shop, stranger):
    them = stranger.owner
    for look in (
        lambda: queries.access_merchant(them, "merchants:read", shop.merchant_id),
        lambda: queries.access_store(them, "merchants:read", shop.merchant_id, shop.store),
        lambda: queries.access_store(them, "merchants:read", stranger.merchant_id, shop.store),
        lambda: queries.stores(them, shop.merchant_id),
        lambda: queries.groups(them, shop.merchant_id),
        lambda: queries.channel_accounts_of(them, shop.merchant_id),
        lambda: queries.access_merchant(OPERATOR, "merchants:read", 10**15),
    ):
        with pytest.raises(NotFound):
            look()
    assert [merchant.merchant_id for merchant in queries.merchants(them)] == [stranger.merchant_id]


def test_stores_are_listed_page_by_page():
    shop = open_shop(stores=5, own_limit_fen=0)
    first = queries.stores(shop.owner, shop.merchant_id, limit=3)
    rest = queries.stores(shop.owner, shop.merchant_id, after=first[-1].id, limit=3)
    assert [store.id for store in [*first, *rest]] == shop.stores
    assert queries.stores_by_code(shop.merchant_id) == {f"S{n}": id for n, id in enumerate(shop.stores, 1)}
