"""Reading merchants; `access_*` is the only way to a single one."""

from houfu.kernel.errors import NotFound
from houfu.merchants.models import ChannelAccount, Group, Merchant, Store
from houfu.people.actor import Actor


def access_merchant(by: Actor, scope: str, merchant_id: int) -> Merchant:
    """Return a merchant, if the actor may do `scope` to it."""
    by.require(scope, merchant_id)
    merchant = Merchant.objects.filter(merchant_id=merchant_id).first()
    if merchant is None:
        raise NotFound()
    return merchant


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


def channel_accounts_of(by: Actor, merchant_id: int) -> list[ChannelAccount]:
    """Return a merchant's channel accounts."""
    by.require("merchants:read", merchant_id)
    return list(ChannelAccount.objects.filter(merchant_id=merchant_id).order_by("id"))


def merchants(by: Actor, after: int = 0, limit: int = 100) -> list[Merchant]:
    """Return merchants the actor may see, by id."""
    by.require("merchants:read")
    found = Merchant.objects.filter(merchant_id__gt=after)
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


def groups(by: Actor, merchant_id: int) -> list[Group]:
    """Return a merchant's groups."""
    by.require("merchants:read", merchant_id)
    return list(Group.objects.filter(merchant_id=merchant_id).order_by("id"))


def lock_stores(merchant_id: int, ids: list[int]) -> None:
    """Hold several stores until the action ends."""
    held = Store.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id__in=ids)
    list(held.order_by("id").values_list("id"))
