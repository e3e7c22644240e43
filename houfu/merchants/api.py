"""Merchants, their channel accounts, stores, groups and keys over HTTP."""

import base64
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, In, Limit, Out, Page, actor, after, mine, page
from houfu.merchants import actions, queries
from houfu.people import actions as people
from houfu.people import queries as people_queries
from houfu.people.sign_in.auth import require_recent

router = Router(tags=["merchants"])


class NewMerchant(In):
    name: str
    uscc: str = Field(description="unified social credit code, 18 characters")


class MerchantOut(Out):
    merchant_id: int
    name: str
    uscc: str
    uscc_verified_at: datetime | None
    created_at: datetime


class Document(In):
    document: str = Field(min_length=1, max_length=500, description="what was looked at")


class Reason(In):
    reason: str = Field(min_length=1, max_length=100, description="the reason class that staff may read")


class NewKey(In):
    name: str
    person: str = Field(default="", description="who answers for the key, as the platform says; else its maker does")
    scopes: list[str]
    days: int = Field(default=365, ge=1, le=366)
    networks: list[str] | None = Field(
        default=None, description="from where alone it opens anything, as 203.0.113.0/24"
    )
    public_key: str | None = Field(default=None, description="Ed25519, 32 bytes in base64, for signed requests")


class KeyOut(Out):
    id: int
    name: str
    person: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    networks: list[str] | None
    api_version: str
    public_key: str | None

    @staticmethod
    def resolve_public_key(row: Any) -> str | None:
        said = row["public_key"] if isinstance(row, dict) else row.public_key
        return said if said is None or isinstance(said, str) else base64.b64encode(bytes(said)).decode()


class NewKeyOut(KeyOut):
    token: str = Field(description="shown this once")


class NewChannelAccount(In):
    channel: str
    principal: str
    maturity_days: int | None = Field(default=None, description="the n of T+n by agreement; the policy's if missing")


class ChannelAccountOut(Out):
    id: int
    channel: str
    principal: str
    maturity_days: int | None


class NewStore(In):
    code: str = Field(description="the merchant's own code")
    name: str
    channel_account_id: int


class StoreOut(Out):
    id: int
    code: str
    name: str
    channel_account_id: int
    group_id: int | None
    state: str
    frozen_for: str | None
    sharing: bool


class Sharing(In):
    sharing: bool


class NewGroup(In):
    name: str
    channel_account_id: int
    store_ids: list[int] = Field(default_factory=list)


class GroupMember(In):
    store_id: int


class GroupOut(Out):
    id: int
    name: str
    channel_account_id: int
    size: int


# The platform's own operations ---------------------------------------------------------------------------------------


@router.post("/merchants", response={201: MerchantOut, **PROBLEMS})
def register(request: HttpRequest, body: NewMerchant) -> Any:
    """Register a legal person."""
    return Status(201, actions.register(by=actor(request), name=body.name, uscc=body.uscc))


@router.get("/merchants", response={200: Page[MerchantOut], **PROBLEMS})
def merchants(request: HttpRequest, cursor: str = "", limit: Limit = 100) -> Any:
    """List the merchants that the key may see."""
    place = after(cursor, "merchants")
    found = queries.merchants(actor(request), after=int(place[0]) if place else 0, limit=limit + 1)
    return page(found, limit, "merchants", lambda row: [row.merchant_id])


@router.post("/merchants/{merchant_id}/verification", response={200: MerchantOut, **PROBLEMS})
def verify(request: HttpRequest, merchant_id: int, body: Document) -> Any:
    """Say that the merchant's code was checked against a document."""
    actions.verify(by=actor(request), merchant_id=merchant_id, document=body.document)
    return queries.access_merchant(actor(request), "merchants:read", merchant_id)


@router.post("/merchants/{merchant_id}/keys", response={201: NewKeyOut, **PROBLEMS})
def create_key(request: HttpRequest, merchant_id: int, body: NewKey) -> Any:
    """Make an API key for a merchant; its token is in this answer and nowhere else."""
    require_recent(request)
    queries.access_merchant(actor(request), "merchants:write", merchant_id)
    key, token = people.create_key(
        by=actor(request),
        merchant_id=merchant_id,
        name=body.name,
        person=body.person,
        scopes=body.scopes,
        days=body.days,
        networks=body.networks,
        public_key=body.public_key,
    )
    return Status(201, {**KeyOut.from_orm(key).dict(), "token": token})


@router.get("/merchants/{merchant_id}/keys", response={200: list[KeyOut], **PROBLEMS})
def keys(request: HttpRequest, merchant_id: int) -> Any:
    """List a merchant's keys."""
    queries.access_merchant(actor(request), "merchants:read", merchant_id)
    return people_queries.keys(merchant_id)


@router.delete("/merchants/{merchant_id}/keys/{key_id}", response={204: None, **PROBLEMS})
def revoke_key(request: HttpRequest, merchant_id: int, key_id: int) -> Any:
    """Revoke a key at once."""
    people.revoke_key(by=actor(request), merchant_id=merchant_id, id=key_id)
    return Status(204, None)


@router.post("/merchants/{merchant_id}/stores/{store_id}:freeze", response={200: StoreOut, **PROBLEMS})
def freeze(request: HttpRequest, merchant_id: int, store_id: int, body: Reason) -> Any:
    """Stop a store's new orders and payouts."""
    actions.freeze_store(by=actor(request), merchant_id=merchant_id, id=store_id, reason=body.reason)
    return queries.access_store(actor(request), "merchants:read", merchant_id, store_id)


@router.post("/merchants/{merchant_id}/stores/{store_id}:unfreeze", response={200: StoreOut, **PROBLEMS})
def unfreeze(request: HttpRequest, merchant_id: int, store_id: int) -> Any:
    """Let a frozen store work again."""
    require_recent(request)
    actions.unfreeze_store(by=actor(request), merchant_id=merchant_id, id=store_id)
    return queries.access_store(actor(request), "merchants:read", merchant_id, store_id)


# A merchant's own operations -----------------------------------------------------------------------------------------


@router.get("/merchant", response={200: MerchantOut, **PROBLEMS})
def merchant(request: HttpRequest) -> Any:
    """Return the key's own merchant."""
    return queries.access_merchant(actor(request), "merchants:read", mine(request))


@router.post("/channel-accounts", response={201: ChannelAccountOut, **PROBLEMS})
def open_channel_account(request: HttpRequest, body: NewChannelAccount) -> Any:
    """Say under which principal a channel knows the merchant."""
    return Status(
        201,
        actions.open_channel_account(
            by=actor(request),
            merchant_id=mine(request),
            channel=body.channel,
            principal=body.principal,
            maturity_days=body.maturity_days,
        ),
    )


@router.get("/channel-accounts", response={200: list[ChannelAccountOut], **PROBLEMS})
def channel_accounts(request: HttpRequest) -> Any:
    """List the merchant's channel accounts."""
    return queries.channel_accounts_of(actor(request), mine(request))


@router.post("/stores", response={201: StoreOut, **PROBLEMS})
def open_store(request: HttpRequest, body: NewStore) -> Any:
    """Open a store."""
    return Status(
        201,
        actions.open_store(
            by=actor(request),
            merchant_id=mine(request),
            code=body.code,
            name=body.name,
            channel_account_id=body.channel_account_id,
        ),
    )


@router.get("/stores", response={200: Page[StoreOut], **PROBLEMS})
def stores(request: HttpRequest, cursor: str = "", limit: Limit = 100) -> Any:
    """List the merchant's stores."""
    place = after(cursor, "stores")
    found = queries.stores(actor(request), mine(request), after=int(place[0]) if place else 0, limit=limit + 1)
    return page(found, limit, "stores", lambda row: [row.id])


@router.get("/stores/{store_id}", response={200: StoreOut, **PROBLEMS})
def store(request: HttpRequest, store_id: int) -> Any:
    """Return a store."""
    return queries.access_store(actor(request), "merchants:read", mine(request), store_id)


@router.put("/stores/{store_id}/sharing", response={200: StoreOut, **PROBLEMS})
def set_sharing(request: HttpRequest, store_id: int, body: Sharing) -> Any:
    """Switch on or off that a store shares limits and buyer lines with other stores (G1)."""
    actions.set_sharing(by=actor(request), merchant_id=mine(request), id=store_id, sharing=body.sharing)
    return queries.access_store(actor(request), "merchants:read", mine(request), store_id)


@router.post("/groups", response={201: GroupOut, **PROBLEMS})
def form_group(request: HttpRequest, body: NewGroup) -> Any:
    """Form a group of stores that may share limits (G2, G3)."""
    return Status(
        201,
        actions.form_group(
            by=actor(request),
            merchant_id=mine(request),
            name=body.name,
            channel_account_id=body.channel_account_id,
            store_ids=body.store_ids,
        ),
    )


@router.get("/groups", response={200: list[GroupOut], **PROBLEMS})
def groups(request: HttpRequest) -> Any:
    """List the merchant's groups."""
    return queries.groups(actor(request), mine(request))


@router.post("/groups/{group_id}/stores", response={204: None, **PROBLEMS})
def join_group(request: HttpRequest, group_id: int, body: GroupMember) -> Any:
    """Add a store to a group."""
    actions.join_group(by=actor(request), merchant_id=mine(request), group_id=group_id, store_id=body.store_id)
    return Status(204, None)
