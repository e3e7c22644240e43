"""Parties, rules of splitting, and what was split, over HTTP."""

from datetime import date, datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Status
from pydantic import Field

from houfu.kernel.http import PROBLEMS, Day, Fen, In, Instant, Limit, Out, Page, actor, after, mine, page
from houfu.merchants import actions as merchants
from houfu.merchants import queries as merchant_queries
from houfu.people.sign_in.auth import require_recent
from houfu.splits import actions, queries
from houfu.splits.models import Division, Party, Rule
from houfu.splits.rules import Wanted

router = Router(tags=["splits"])


class Contract(In):
    contract: str = Field(min_length=1, max_length=500, description="the document")
    valid_from: Day
    valid_until: Day


class NewParty(Contract):
    relation: str = Field(description="supplier or carrier")
    kind: str = Field(description="alipay or bank_corporate")
    purpose_class: str
    holder: str
    account: str = Field(description="the full number or login; kept encrypted, shown by its tail")


class BindingOut(Out):
    channel_account_id: int
    state: str


class PartyOut(Out):
    id: int
    relation: str
    kind: str
    purpose_class: str
    holder: str
    account_tail: str
    contract: str
    valid_from: date
    valid_until: date
    state: str
    waits: bool = Field(
        description="whether it, or its next contract, waits to be confirmed; the approval is party/ID's"
    )
    bindings: list[BindingOut]


class NewBinding(In):
    channel_account_id: int


class ShareIn(In):
    party_id: int
    permille: int | None = Field(default=None, ge=1, le=1000, description="of the order's net")
    fixed_fen: Fen | None = None


class NewRule(In):
    shares: list[ShareIn] = Field(max_length=20, description="in the order in which they are given; none ends it")
    not_before: Instant | None = None


class ShareOut(Out):
    party_id: int
    permille: int | None
    fixed_fen: int | None


class RuleOut(Out):
    id: int
    store_id: int
    state: str
    not_before: datetime
    begins_at: datetime | None
    proposed_by: str
    shares: list[ShareOut]


class DivisionOut(Out):
    order_id: str
    store_id: int
    rule_id: int
    at: datetime
    net_fen: int
    split_fen: int
    kept_fen: int
    kept_for: list[str] = Field(description="why shares stayed the store's, as party/3:contract_expired")


class PartOut(Out):
    party_id: int
    amount_fen: int
    off_fen: int = Field(description="refunded before it was sent")
    sent_fen: int | None
    recalled_fen: int = Field(description="refunded afterwards, and asked back")
    returned_fen: int
    state: str
    code: str


class SplitOut(Out):
    id: int
    state: str
    code: str
    request_no: str | None
    made_at: datetime
    final_at: datetime | None
    parts: list[PartOut]


class ReturnOut(Out):
    id: int
    split_id: int
    refund_ref: str
    amount_fen: int
    state: str
    code: str
    final_at: datetime | None


class DivisionWithSplits(DivisionOut):
    splits: list[SplitOut]
    returns: list[ReturnOut]


class NewPartnerKey(In):
    name: str
    store_ids: list[int] = Field(min_length=1, max_length=1000)


class PartnerKeyOut(Out):
    id: int
    token: str = Field(description="shown this once; reads the limits of these stores and nothing else")
    store_ids: list[int]
    expires_at: datetime


class NewPartnerEndpoint(In):
    url: str = Field(max_length=2000)
    store_ids: list[int] = Field(min_length=1, max_length=1000)


class PartnerEndpointOut(Out):
    id: int
    store_ids: list[int]
    secret: str = Field(description="whsec_…, shown this once; verifies v1")
    public_key: str = Field(description="whpk_…; verifies v1a")


class NewAgreement(In):
    carrier_id: int
    channel_account_id: int
    store_id: int | None = Field(
        default=None, description="the one store that it is for; all of the account's if missing"
    )
    document: str = Field(min_length=1, max_length=500)
    valid_from: Day
    valid_until: Day


class AgreementOut(Out):
    id: int
    carrier_id: int
    channel_account_id: int
    store_id: int | None
    document: str
    valid_from: date
    valid_until: date
    noted_at: datetime
    ended_at: datetime | None


def _party(party: Party) -> dict[str, Any]:
    names = set(PartyOut.__pydantic_fields__) - {"bindings"}
    shown = {name: getattr(party, name) for name in names}
    return {**shown, "bindings": queries.bindings(party.merchant_id, party.id)}


def _rule(rule: Rule) -> dict[str, Any]:
    names = set(RuleOut.__pydantic_fields__) - {"shares"}
    return {**{name: getattr(rule, name) for name in names}, "shares": queries.shares(rule.merchant_id, rule.id)}


@router.post("/parties", response={201: PartyOut, **PROBLEMS})
def register(request: HttpRequest, body: NewParty) -> Any:
    """Register a supplier or carrier; it gets nothing before a second person has confirmed it."""
    require_recent(request)
    return Status(201, _party(actions.register(by=actor(request), merchant_id=mine(request), **body.dict())))


@router.get("/parties", response={200: list[PartyOut], **PROBLEMS})
def parties(request: HttpRequest) -> Any:
    """List the merchant's parties."""
    return [_party(party) for party in queries.parties(actor(request), mine(request))]


@router.get("/parties/{int:party_id}", response={200: PartyOut, **PROBLEMS})
def party(request: HttpRequest, party_id: int) -> Any:
    """Return a party."""
    return _party(queries.access_party(actor(request), "payouts:read", mine(request), party_id))


@router.post("/parties/{int:party_id}:renew", response={200: PartyOut, **PROBLEMS})
def renew(request: HttpRequest, party_id: int, body: Contract) -> Any:
    """Propose a party's next contract; the present one holds until a second person has confirmed it."""
    require_recent(request)
    return _party(actions.renew(by=actor(request), merchant_id=mine(request), id=party_id, **body.dict()))


@router.post("/parties/{int:party_id}/bindings", response={200: BindingOut, **PROBLEMS})
def bind(request: HttpRequest, party_id: int, body: NewBinding) -> Any:
    """Have the channel asked to give a party parts of what an account is credited."""
    return actions.bind(
        by=actor(request), merchant_id=mine(request), id=party_id, channel_account_id=body.channel_account_id
    )


@router.delete("/parties/{int:party_id}/bindings/{int:channel_account_id}", response={200: BindingOut, **PROBLEMS})
def release(request: HttpRequest, party_id: int, channel_account_id: int) -> Any:
    """Have the channel asked to give a party nothing more of an account."""
    return actions.release(
        by=actor(request), merchant_id=mine(request), id=party_id, channel_account_id=channel_account_id
    )


@router.delete("/parties/{int:party_id}", response={204: None, **PROBLEMS})
def revoke(request: HttpRequest, party_id: int) -> Any:
    """Take a party out of use, with its keys and endpoints."""
    actions.revoke(by=actor(request), merchant_id=mine(request), id=party_id)
    return Status(204, None)


@router.post("/parties/{int:party_id}/keys", response={201: PartnerKeyOut, **PROBLEMS})
def create_partner_key(request: HttpRequest, party_id: int, body: NewPartnerKey) -> Any:
    """Make a partner's key to the limits of named stores; it lives as long as the contract, and a year at most."""
    require_recent(request)
    key, token = actions.create_key(
        by=actor(request), merchant_id=mine(request), party_id=party_id, name=body.name, store_ids=body.store_ids
    )
    return Status(201, {"id": key.id, "token": token, "store_ids": key.store_ids, "expires_at": key.expires_at})


@router.post("/parties/{int:party_id}/webhooks", response={201: PartnerEndpointOut, **PROBLEMS})
def add_partner_endpoint(request: HttpRequest, party_id: int, body: NewPartnerEndpoint) -> Any:
    """Tell a partner's endpoint that limits of named stores have changed; its secret is in this answer alone."""
    require_recent(request)
    endpoint, signer = actions.add_endpoint(
        by=actor(request), merchant_id=mine(request), party_id=party_id, url=body.url, store_ids=body.store_ids
    )
    keys = {"secret": signer.secret_text, "public_key": signer.public_text}
    return Status(201, {"id": endpoint.id, "store_ids": endpoint.store_ids, **keys})


@router.post("/stores/{store_id}/split-rules", response={201: RuleOut, **PROBLEMS})
def propose(request: HttpRequest, store_id: int, body: NewRule) -> Any:
    """Propose how a store's orders are divided; it holds once another person has agreed (split_rule/ID)."""
    require_recent(request)
    shares = [Wanted(share.party_id, share.permille, share.fixed_fen) for share in body.shares]
    rule = actions.propose(
        by=actor(request), merchant_id=mine(request), store_id=store_id, shares=shares, not_before=body.not_before
    )
    return Status(201, _rule(rule))


@router.get("/stores/{store_id}/split-rules", response={200: list[RuleOut], **PROBLEMS})
def rules(request: HttpRequest, store_id: int) -> Any:
    """List a store's rules, the latest first."""
    return [_rule(rule) for rule in queries.rules_of(actor(request), mine(request), store_id)]


@router.post("/split-rules/{int:rule_id}:call-off", response={200: RuleOut, **PROBLEMS})
def call_off(request: HttpRequest, rule_id: int) -> Any:
    """Call a proposed rule off."""
    return _rule(actions.call_off(by=actor(request), merchant_id=mine(request), id=rule_id))


@router.get("/splits", response={200: Page[DivisionOut], **PROBLEMS})
def divisions(request: HttpRequest, store_id: int | None = None, cursor: str = "", limit: Limit = 100) -> Any:
    """List what became of the net of settled orders, newest first."""
    place = after(cursor, "splits")
    found = queries.divisions(
        actor(request),
        mine(request),
        store_id=store_id,
        after=(datetime.fromisoformat(place[0]), place[1]) if place else None,
        limit=limit + 1,
    )
    return page(found, limit, "splits", lambda row: [row.at.isoformat(), row.order_id])


@router.get("/splits/{order_id}", response={200: DivisionWithSplits, **PROBLEMS})
def division(request: HttpRequest, order_id: str) -> Any:
    """Return what became of the net of an order: who was given what, and what was asked back."""
    return shown(queries.division(actor(request), mine(request), order_id))


def shown(division: Division) -> dict[str, Any]:
    """Return a division with its calls, parts and returns."""
    merchant_id, order_id = division.merchant_id, division.order_id
    calls = []
    for call in queries.splits_of(merchant_id, order_id):
        sent = queries.attempt(merchant_id, split_id=call.id)
        said = {name: getattr(call, name) for name in ("id", "state", "code", "made_at", "final_at")}
        parts = queries.parts(merchant_id, [call.id])
        calls.append({**said, "request_no": sent.request_no if sent else None, "parts": parts})
    own = {name: getattr(division, name) for name in DivisionOut.__pydantic_fields__}
    return {**own, "splits": calls, "returns": queries.returns_of(merchant_id, order_id)}


@router.post("/merchants/{merchant_id}/logistics-agreements", response={201: AgreementOut, **PROBLEMS})
def agree_logistics(request: HttpRequest, merchant_id: int, body: NewAgreement) -> Any:
    """Note a logistics agreement with a carrier, under which money matures at T+1 (O4)."""
    return Status(201, actions.agree_logistics(by=actor(request), merchant_id=merchant_id, **body.dict()))


@router.post("/merchants/{merchant_id}/logistics-agreements/{int:agreement_id}:end", response={204: None, **PROBLEMS})
def end_agreement(request: HttpRequest, merchant_id: int, agreement_id: int) -> Any:
    """End a logistics agreement now."""
    merchants.end_logistics_agreement(by=actor(request), merchant_id=merchant_id, id=agreement_id)
    return Status(204, None)


@router.get("/logistics-agreements", response={200: list[AgreementOut], **PROBLEMS})
def agreements(request: HttpRequest) -> Any:
    """List the merchant's logistics agreements, the latest first."""
    return merchant_queries.logistics_agreements(actor(request), mine(request))
