"""Merchants: legal persons, their stores and groups, opened and changed."""

from collections.abc import Sequence
from datetime import date

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Invalid, NotFound, Refused
from houfu.merchants import queries, states
from houfu.merchants.models import ChannelAccount, Group, LogisticsAgreement, Merchant, Store
from houfu.people.actor import Actor
from houfu.policies import queries as policies


@db.refuse_on("merchants_uscc_valid")
class BadUscc(Invalid):
    """A unified social credit code has 18 characters, and its last checks the others."""

    code = "merchants_uscc_invalid"


@db.refuse_on("merchants_uscc_taken")
class UsccTaken(Refused):
    """A merchant with this unified social credit code is registered already."""

    code = "merchants_uscc_taken"


@db.refuse_on(
    "merchants_merchant_name",
    "merchants_store_name",
    "merchants_group_name",
    "merchants_store_code",
    "merchants_principal_form",
    "merchants_channel_name",
    "merchants_maturity_days",
)
class BadField(Invalid):
    """A name, code or number of a merchant, store or group is too long, too short or has a wrong character."""

    code = "merchants_field_invalid"


@db.refuse_on("merchants_store_code_taken", "merchants_principal_taken")
class CodeTaken(Refused):
    """Another store or account of this merchant has this code already."""

    code = "merchants_code_taken"


@db.refuse_on("merchants_store_channel_account", "merchants_group_channel_account")
class UnknownChannelAccount(Invalid):
    """The merchant has no such channel account."""

    code = "merchants_channel_account_unknown"


@db.refuse_on("merchants_group_one_principal")
class OtherPrincipal(Refused):
    """All stores of a group belong to one merchant and collect under one principal (G2)."""

    code = "merchants_group_one_principal"


@db.refuse_on("merchants_agreement_document", "merchants_agreement_days", "merchants_agreement_store")
class BadAgreement(Invalid):
    """A logistics agreement names a document, days that do not end before they begin, and stores of its account."""

    code = "merchants_agreement_invalid"


class GroupFull(Refused):
    """A group has as many stores as the policy allows (G3)."""

    code = "merchants_group_full"


class UsccNotVerified(Refused):
    """A group needs a verified unified social credit code (G2)."""

    code = "merchants_uscc_not_verified"


class AlreadyGrouped(Refused):
    """The store is in a group already."""

    code = "merchants_store_grouped"


@db.action
def register(*, by: Actor, name: str, uscc: str) -> Merchant:
    """Register a legal person by its name and unified social credit code.

    Raises:
        BadUscc, UsccTaken, BadField: nothing was registered.
    """
    by.require("platform:write")
    merchant = Merchant.objects.create(name=name, uscc=uscc.strip().upper(), created_at=clock.now())
    history.record(
        "merchant.registered",
        by=by,
        merchant_id=merchant.merchant_id,
        subject=f"merchant/{merchant.merchant_id}",
        name=name,
        uscc=merchant.uscc,
    )
    return merchant


@db.action
def verify(*, by: Actor, merchant_id: int, document: str) -> None:
    """Say that the merchant's code was checked against a document, such as its business licence (G2)."""
    by.require("platform:write")
    if not Merchant.objects.filter(merchant_id=merchant_id).update(uscc_verified_at=clock.now()):
        raise NotFound()
    history.record(
        "merchant.verified", by=by, merchant_id=merchant_id, subject=f"merchant/{merchant_id}", document=document
    )


@db.action
def open_channel_account(
    *, by: Actor, merchant_id: int, channel: str, principal: str, maturity_days: int | None = None
) -> ChannelAccount:
    """Tell the product under which principal a channel knows the merchant.

    Args:
        maturity_days: days from settlement to maturity under the merchant's agreement; None for the pack's (O4).
    """
    queries.access_merchant(by, "merchants:write", merchant_id)
    account_id = db.rows(
        "INSERT INTO merchants_channel_account (merchant_id, channel, principal, maturity_days, created_at)"
        " VALUES (%s, %s, %s, %s, %s) RETURNING id",
        [merchant_id, channel, principal, maturity_days, clock.now()],
    )[0].id
    history.record(
        "channel_account.opened",
        by=by,
        merchant_id=merchant_id,
        subject=f"channel_account/{account_id}",
        channel=channel,
        principal=principal,
    )
    return queries.channel_account(merchant_id, account_id)


@db.action
def note_logistics_agreement(
    *,
    by: Actor,
    merchant_id: int,
    channel_account_id: int,
    store_id: int | None,
    carrier_id: int,
    document: str,
    valid_from: date,
    valid_until: date,
) -> LogisticsAgreement:
    """Let what an account at a channel is credited mature sooner, under an agreement with a carrier (O4).

    Args:
        store_id: the one store that it is for; None for all that collect under the account.
        carrier_id: the party that carries; whoever calls knows it to be one.
        document: what the platform has seen of it.
        valid_from, valid_until: business days, both included.

    Raises:
        BadAgreement, NotFound: nothing was noted.
    """
    by.require("platform:write")
    queries.access_merchant(by, "merchants:read", merchant_id)
    if not ChannelAccount.objects.filter(merchant_id=merchant_id, id=channel_account_id).exists():
        raise NotFound()
    if store_id is not None and queries.store(merchant_id, store_id).channel_account_id != channel_account_id:
        raise BadAgreement(store_id=store_id)
    agreement_id = db.rows(
        "INSERT INTO merchants_logistics_agreement (merchant_id, channel_account_id, store_id, carrier_id, document,"
        " valid_from, valid_until, noted_by, noted_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        [
            merchant_id,
            channel_account_id,
            store_id,
            carrier_id,
            document,
            valid_from,
            valid_until,
            by.label,
            clock.now(),
        ],
    )[0].id
    history.record(
        "logistics_agreement.noted",
        by=by,
        merchant_id=merchant_id,
        subject=f"logistics_agreement/{agreement_id}",
        channel_account_id=channel_account_id,
        store_id=store_id,
        carrier_id=carrier_id,
        document=document,
        valid_from=valid_from.isoformat(),
        valid_until=valid_until.isoformat(),
    )
    return LogisticsAgreement.objects.get(merchant_id=merchant_id, id=agreement_id)


@db.action
def end_logistics_agreement(*, by: Actor, merchant_id: int, id: int) -> None:
    """End a logistics agreement now; what was credited before matures as it was to. Ending it twice changes nothing."""
    by.require("platform:write")
    found = LogisticsAgreement.objects.filter(merchant_id=merchant_id, id=id)
    if not found.exists():
        raise NotFound()
    if found.filter(ended_at=None).update(ended_at=clock.now()):
        history.record("logistics_agreement.ended", by=by, merchant_id=merchant_id, subject=f"logistics_agreement/{id}")


@db.action
def open_store(*, by: Actor, merchant_id: int, code: str, name: str, channel_account_id: int) -> Store:
    """Open a store.

    Args:
        code: the merchant's own code for the store, unique among its stores.
    """
    queries.access_merchant(by, "merchants:write", merchant_id)
    store_id = db.rows(
        "INSERT INTO merchants_store (merchant_id, code, name, channel_account_id, state, created_at)"
        " VALUES (%s, %s, %s, %s, 'active', %s) RETURNING id",
        [merchant_id, code, name, channel_account_id, clock.now()],
    )[0].id
    history.record("store.opened", by=by, merchant_id=merchant_id, subject=f"store/{store_id}", code=code, name=name)
    return Store.objects.get(merchant_id=merchant_id, id=store_id)


@db.action
def freeze_store(*, by: Actor, merchant_id: int, id: int, reason: str) -> None:
    """Stop a store's new orders and payouts, for a reason class that its staff may read."""
    by.require("platform:write")
    queries.access_store(by, "merchants:read", merchant_id, id)
    states.move_store("freeze", Store, {"merchant_id": merchant_id, "id": id}, frozen_for=reason)
    history.record("store.frozen", by=by, merchant_id=merchant_id, subject=f"store/{id}", reason=reason)


@db.action
def unfreeze_store(*, by: Actor, merchant_id: int, id: int) -> None:
    """Let a frozen store work again."""
    by.require("platform:write")
    queries.access_store(by, "merchants:read", merchant_id, id)
    states.move_store("unfreeze", Store, {"merchant_id": merchant_id, "id": id}, frozen_for=None)
    history.record("store.unfrozen", by=by, merchant_id=merchant_id, subject=f"store/{id}")


@db.action
def set_sharing(*, by: Actor, merchant_id: int, id: int, sharing: bool) -> None:
    """Switch on or off that a store shares limits and buyer lines with other stores; as it is already, nothing (G1)."""
    queries.access_store(by, "merchants:write", merchant_id, id)
    if Store.objects.filter(merchant_id=merchant_id, id=id).exclude(sharing=sharing).update(sharing=sharing):
        verb = "store.sharing_on" if sharing else "store.sharing_off"
        history.record(verb, by=by, merchant_id=merchant_id, subject=f"store/{id}")


@db.action
def form_group(*, by: Actor, merchant_id: int, name: str, channel_account_id: int, store_ids: Sequence[int]) -> Group:
    """Form a group of stores that may share limits (G2, G3).

    Raises:
        UsccNotVerified, GroupFull, OtherPrincipal, AlreadyGrouped: no group was formed.
    """
    merchant = queries.access_merchant(by, "merchants:write", merchant_id)
    if merchant.uscc_verified_at is None:
        raise UsccNotVerified()
    group_id = db.rows(
        "INSERT INTO merchants_group (merchant_id, name, channel_account_id, created_at)"
        " VALUES (%s, %s, %s, %s) RETURNING id",
        [merchant_id, name, channel_account_id, clock.now()],
    )[0].id
    history.record("group.formed", by=by, merchant_id=merchant_id, subject=f"group/{group_id}", name=name)
    for store_id in store_ids:
        join_group(by=by, merchant_id=merchant_id, group_id=group_id, store_id=store_id)
    return Group.objects.get(merchant_id=merchant_id, id=group_id)


@db.action
def join_group(*, by: Actor, merchant_id: int, group_id: int, store_id: int) -> None:
    """Add a store to a group, while there is room for it (G3).

    Raises:
        GroupFull, OtherPrincipal, AlreadyGrouped: the group is as it was.
    """
    store = queries.access_store(by, "merchants:write", merchant_id, store_id)
    largest = policies.at(clock.now()).pools.max_stores
    groups = Group.objects.filter(merchant_id=merchant_id, id=group_id)
    room = db.rows(
        "UPDATE merchants_group SET size = size + 1 WHERE merchant_id = %s AND id = %s AND size < %s RETURNING size",
        [merchant_id, group_id, largest],
    )
    if not room:
        raise GroupFull(max_stores=largest) if groups.exists() else NotFound()
    if not Store.objects.filter(merchant_id=merchant_id, id=store.id, group_id=None).update(group_id=group_id):
        raise AlreadyGrouped(store_id=store_id)
    history.record("group.joined", by=by, merchant_id=merchant_id, subject=f"group/{group_id}", store_id=store_id)
