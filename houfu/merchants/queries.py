"""Reading merchants; `access_*` is the only way to a single one."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from django.db.models import Q

from houfu.kernel import db
from houfu.kernel.errors import NotFound
from houfu.merchants.models import ChannelAccount, Group, LogisticsAgreement, Merchant, Store
from houfu.people.actor import Actor


def access_merchant(by: Actor, scope: str, merchant_id: int) -> Merchant:
    """Return a merchant, if the actor may do `scope` to it."""
    by.require(scope, merchant_id)
    merchant = Merchant.objects.filter(merchant_id=merchant_id).first()
    if merchant is None:
        raise NotFound()
    return merchant


def merchant(merchant_id: int) -> Merchant:
    """Return a merchant that the caller knows."""
    return Merchant.objects.get(merchant_id=merchant_id)


def access_store(by: Actor, scope: str, merchant_id: int, id: int) -> Store:
    """Return a store, if the actor may do `scope` to it."""
    by.require(scope, merchant_id, id)
    return store(merchant_id, id)


def store(merchant_id: int, id: int) -> Store:
    """Return a store that the caller knows to be the merchant's.

    Raises:
        NotFound: it is not.
    """
    found = Store.objects.filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    return found


def share_a_group(merchant_id: int, id: int, others: Collection[int]) -> bool:
    """Say whether a store is in one group with any of the others."""
    groups = Store.objects.filter(merchant_id=merchant_id, id__in=others, group_id__isnull=False).values("group_id")
    return Store.objects.filter(merchant_id=merchant_id, id=id, group_id__in=groups).exists()


def lock_merchant(merchant_id: int) -> None:
    """Hold a merchant until the action ends: what its people ask for is counted one after another."""
    list(Merchant.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id).values_list("merchant_id"))


def lock_store(by: Actor, scope: str, merchant_id: int, id: int) -> Store:
    """Return a store and hold it until the action ends: payouts of a store come one after another."""
    by.require(scope, merchant_id, id)
    store = Store.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=id).first()
    if store is None:
        raise NotFound()
    return store


def channel_account(merchant_id: int, id: int) -> ChannelAccount:
    """Return an account at a channel."""
    return ChannelAccount.objects.get(merchant_id=merchant_id, id=id)


def agreed(merchant_id: int, channel_account_id: int, store_id: int, at: datetime) -> bool:
    """Say whether something of a store was credited under a logistics agreement in force at an instant (O4)."""
    asked = [merchant_id, channel_account_id, store_id, at]
    return bool(db.rows("SELECT merchants_agreed_v1(%s, %s, %s, %s) AS agreed", asked)[0].agreed)


def logistics_agreements(by: Actor, merchant_id: int) -> list[LogisticsAgreement]:
    """Return a merchant's logistics agreements, the latest first."""
    by.require("merchants:read", merchant_id)
    by.require_whole()
    return list(LogisticsAgreement.objects.filter(merchant_id=merchant_id).order_by("-id"))


def channel_accounts_by_store(merchant_id: int, store_ids: Iterable[int]) -> dict[int, int]:
    """Return the channel account of each of a merchant's stores that are named."""
    found = Store.objects.filter(merchant_id=merchant_id, id__in=list(store_ids))
    return dict(found.values_list("id", "channel_account_id"))


def channel_accounts_of(by: Actor, merchant_id: int) -> list[ChannelAccount]:
    """Return a merchant's channel accounts."""
    by.require("merchants:read", merchant_id)
    return list(ChannelAccount.objects.filter(merchant_id=merchant_id).order_by("id"))


def merchants(by: Actor, after: int = 0, limit: int = 100, *, search: str = "") -> list[Merchant]:
    """Return merchants the actor may see, by id.

    Args:
        search: part of a name, the beginning of a code, or a number; every merchant where it is empty.
    """
    by.require("merchants:read")
    found = Merchant.objects.filter(merchant_id__gt=after)
    if search := search.strip():
        number = int(search) if search.isascii() and search.isdigit() and len(search) < 18 else 0
        found = found.filter(Q(name__icontains=search) | Q(uscc__istartswith=search) | Q(merchant_id=number))
    if by.merchant_id is not None:
        found = found.filter(merchant_id=by.merchant_id)
    return list(found.order_by("merchant_id")[:limit])


def stores(by: Actor, merchant_id: int, *, after: int = 0, limit: int = 100) -> list[Store]:
    """Return the stores of a merchant that the actor may see, by id."""
    by.require("merchants:read", merchant_id)
    found = Store.objects.filter(merchant_id=merchant_id, id__gt=after)
    if by.stores is not None:
        found = found.filter(id__in=by.stores)
    return list(found.order_by("id")[:limit])


def stores_by_code(merchant_id: int) -> dict[str, int]:
    """Return the ids of a merchant's stores by the merchant's own codes."""
    return dict(Store.objects.filter(merchant_id=merchant_id).values_list("code", "id"))


def sharing(merchant_id: int) -> set[int]:
    """Return the stores of a merchant that have sharing switched on (G1)."""
    return set(Store.objects.filter(merchant_id=merchant_id, sharing=True).values_list("id", flat=True))


def group(merchant_id: int, id: int) -> Group:
    """Return a group that the caller knows to be the merchant's."""
    return Group.objects.get(merchant_id=merchant_id, id=id)


def stores_of_group(merchant_id: int, id: int) -> frozenset[int]:
    """Return the stores of a group."""
    return frozenset(Store.objects.filter(merchant_id=merchant_id, group_id=id).values_list("id", flat=True))


def groups(by: Actor, merchant_id: int) -> list[Group]:
    """Return a merchant's groups."""
    by.require("merchants:read", merchant_id)
    return list(Group.objects.filter(merchant_id=merchant_id).order_by("id"))


def lock_stores(stores: Sequence[tuple[int, int]]) -> None:
    """Hold several stores until the action ends.

    Args:
        stores: merchant and id of each.
    """
    db.rows(
        "SELECT FROM merchants_store s JOIN unnest(%s::bigint[], %s::bigint[]) w (merchant_id, id)"
        " ON (w.merchant_id, w.id) = (s.merchant_id, s.id) ORDER BY s.merchant_id, s.id FOR NO KEY UPDATE OF s",
        [[merchant_id for merchant_id, _ in stores], [id for _, id in stores]],
    )
