"""Parties: registered, confirmed by a second person, bound at the channel, renewed, revoked (L8, P8, I-14)."""

import json
from datetime import date, timedelta
from typing import Any

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.channels import rules as channel_rules
from houfu.channels.port import Bond, Payee
from houfu.history import actions as history
from houfu.kernel import clock, data_keys, db, ids, vault
from houfu.kernel.errors import Invalid, NotFound, Refused
from houfu.merchants import actions as merchants
from houfu.merchants import queries as merchant_queries
from houfu.merchants.models import ChannelAccount, LogisticsAgreement
from houfu.people import actions as people
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.splits import queries, rules, states
from houfu.splits.models import Binding, Party
from houfu.webhooks import actions as webhooks

VERBS = {
    Bond.BOUND: ("asked", "bind", "bound"),
    Bond.REFUSED: ("asked", "refuse", "refused"),
    Bond.RELEASED: ("releasing", "let_go", "released"),
}
db.retry_on("splits_binding_once")  # asked at once: look again


@db.refuse_on(
    "splits_party_relation", "splits_party_kind", "splits_party_holder", "splits_party_contract", "splits_party_days"
)
class BadParty(Invalid):
    """A party is a supplier or carrier with an account, its holder's name, and a contract with its days (L8)."""

    code = "party_invalid"


@db.refuse_on("splits_party_once")
class PartyRegistered(Refused):
    """This account is a party's already."""

    code = "splits_party_once"


class PartyDenied(Refused):
    """Nobody gets parts of orders for this purpose: platform fees, wages and profit shares are denied (P8)."""

    code = "party_denied"


class PartyNotConfirmed(Refused):
    """A second person has not confirmed this party, or it was revoked."""

    code = "splits_party_not_confirmed"


class CarrierNeeded(Invalid):
    """A logistics agreement is with a confirmed carrier of the merchant's (O4)."""

    code = "splits_carrier_needed"


db.refuse_on("splits_agreement_carrier")(CarrierNeeded)


@db.action
def register(
    *,
    by: Actor,
    merchant_id: int,
    relation: str,
    kind: str,
    purpose_class: str,
    holder: str,
    account: str,
    contract: str,
    valid_from: date,
    valid_until: date,
) -> Party:
    """Register a party that may get parts of orders once a second person has confirmed it and the channel has bound it.

    Args:
        relation: "supplier" or "carrier".
        kind: "alipay" or "bank_corporate".
        purpose_class: what it is paid for, one of the policy's purposes.
        account: the full number or login; sealed before it is stored.
        contract: the document that it stands on.
        valid_from, valid_until: business days of the contract, both included.

    Raises:
        BadParty, PartyDenied, PartyRegistered: nothing was registered.
    """
    merchant_queries.access_merchant(by, "beneficiaries:write", merchant_id)
    by.require_person()
    now = clock.now()
    policy = policies.at(now)
    if purpose_class in policy.payouts.denied_purposes:
        raise PartyDenied(purpose_class=purpose_class)
    account = account.strip()
    if purpose_class not in policy.payouts.purposes or not 4 <= len(account) <= 100:
        raise BadParty(purpose_class=purpose_class)
    digest = vault.fingerprint(f"{kind}|{account}", "party")
    party_id = db.rows(
        "INSERT INTO splits_party (merchant_id, relation, kind, purpose_class, holder, account_sealed, account_digest,"
        " account_tail, contract, valid_from, valid_until, state, registered_by, person, registered_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'registered', %s, %s, %s) RETURNING id",
        [merchant_id, relation, kind, purpose_class, holder,
         data_keys.seal(account, _place(merchant_id, digest), merchant_id), digest,
         account[-4:], contract, valid_from, valid_until, by.label, by.person, now],
    )[0].id  # fmt: skip
    _note("registered", by, merchant_id, party_id, relation=relation, purpose_class=purpose_class, tail=account[-4:])
    party = queries.party(merchant_id, party_id)
    _ask(by, party, queries.party_content(party))
    return party


@db.action
def renew(*, by: Actor, merchant_id: int, id: int, contract: str, valid_from: date, valid_until: date) -> Party:
    """Propose a party's next contract; the present one holds until a second person has confirmed the next.

    Raises:
        PartyNotConfirmed, BadParty: nothing was proposed.
    """
    by.require("beneficiaries:write", merchant_id)
    by.require_person()
    party = _held(merchant_id, id)
    if party.state != "confirmed":
        raise PartyNotConfirmed()
    if valid_until < valid_from or not 1 <= len(contract) <= 500:
        raise BadParty(contract=contract)
    Party.objects.filter(merchant_id=merchant_id, id=id).update(version=party.version + 1, waits=True)
    party.version += 1
    _note("contract_proposed", by, merchant_id, id, contract=contract, valid_until=valid_until.isoformat())
    said = {"contract": contract, "valid_from": valid_from.isoformat(), "valid_until": valid_until.isoformat()}
    _ask(by, party, queries.party_content(party, said))
    return queries.party(merchant_id, id)


def _ask(by: Actor, party: Party, content: rules.Content) -> None:
    policy = policies.at(clock.now())
    approvals.open(
        by=by,
        merchant_id=party.merchant_id,
        id=ids.new(),
        subject=f"party/{party.id}",
        version=party.version,
        payload=content,
        chain=policy.splits.party_approvers,
        editors=[party.person],
        expires_at=clock.now() + timedelta(hours=policy.staff.approval_hours),
    )


@db.action
def follow_confirmation(*, by: Actor, merchant_id: int, id: int) -> str:
    """Let a party, or its next contract, hold once those asked have signed, and return the party's state.

    One that nobody ever confirmed is revoked when they will not; the present contract of another stays.
    """
    party = _held(merchant_id, id)
    subject = f"party/{id}"
    request = approval_queries.latest(merchant_id, subject)
    if not party.waits or request is None or request.state == "open":
        return party.state
    said = {name: value for name, value in json.loads(request.payload).items() if name in CONTRACT}
    approved = request.state == "approved"
    if approved:
        try:
            approval_queries.prove(merchant_id, subject, party.version, queries.party_content(party, said))
        except approval_queries.NotApproved:
            approved = False
    found = Party.objects.filter(merchant_id=merchant_id, id=id)
    found.update(waits=False, **(said if approved else {}))
    if party.state == "registered":
        verb = "confirm" if approved else "revoke"
        states.move_party(verb, Party, {"merchant_id": merchant_id, "id": id})
        _note("confirmed" if approved else "revoked", by, merchant_id, id)
    else:
        _note("contract_confirmed" if approved else "contract_rejected", by, merchant_id, id)
    return queries.party(merchant_id, id).state


CONTRACT = ("contract", "valid_from", "valid_until")


@db.action
def bind(*, by: Actor, merchant_id: int, id: int, channel_account_id: int) -> Binding:
    """Have the channel asked to give a confirmed party parts of what an account is credited; twice changes nothing.

    Raises:
        PartyNotConfirmed: nothing was asked.
    """
    by.require("beneficiaries:write", merchant_id)
    by.require_person()
    party = _held(merchant_id, id)
    if party.state != "confirmed":
        raise PartyNotConfirmed()
    if not ChannelAccount.objects.filter(merchant_id=merchant_id, id=channel_account_id).exists():
        raise NotFound()
    now = clock.now()
    key = {"merchant_id": merchant_id, "party_id": id, "channel_account_id": channel_account_id}
    there = Binding.objects.filter(**key).first()
    if there is None:
        db.rows(
            "INSERT INTO splits_binding (merchant_id, party_id, channel_account_id, state, asked_at, next_action_at)"
            " VALUES (%s, %s, %s, 'asked', %s, %s)",
            [merchant_id, id, channel_account_id, now, now],
        )
    elif there.state in ("asked", "bound"):
        return there
    else:
        row = {"merchant_id": merchant_id, "id": there.id}
        states.move_binding("ask", Binding, row, asked_at=now, next_action_at=now, tries=0)
    _note("binding_asked", by, merchant_id, id, channel_account_id=channel_account_id)
    return Binding.objects.get(**key)


@db.action
def release(*, by: Actor, merchant_id: int, id: int, channel_account_id: int) -> Binding:
    """Have the channel asked to give a party nothing more of an account; from now on it gets nothing.

    Raises:
        NotFound, IllegalMove: it was never bound there, or is not any more.
    """
    by.require("beneficiaries:write", merchant_id)
    by.require_person()
    _held(merchant_id, id)
    found = Binding.objects.filter(merchant_id=merchant_id, party_id=id, channel_account_id=channel_account_id).first()
    if found is None:
        raise NotFound()
    _release(by, found)
    return Binding.objects.get(merchant_id=merchant_id, id=found.id)


def _release(by: Actor, binding: Binding) -> None:
    key = {"merchant_id": binding.merchant_id, "id": binding.id}
    states.move_binding("release", Binding, key, next_action_at=clock.now(), tries=0)
    said = {"channel_account_id": binding.channel_account_id}
    _note("release_asked", by, binding.merchant_id, binding.party_id, **said)


@db.action
def note_bond(*, by: Actor, merchant_id: int, id: int, bond: Bond) -> str:
    """Keep what the channel said of a binding, and return its state; where it said nothing it is asked again later."""
    binding = Binding.objects.select_for_update().get(merchant_id=merchant_id, id=id)
    waits_in, verb, said = VERBS.get(bond, ("", "", ""))
    if binding.state != waits_in:
        if binding.next_action_at is not None:
            again = channel_rules.look_again(clock.now(), binding.tries)
            found = Binding.objects.filter(merchant_id=merchant_id, id=id)
            found.update(next_action_at=again, tries=min(binding.tries + 1, 1000))
        return binding.state
    states.move_binding(verb, Binding, {"merchant_id": merchant_id, "id": id}, next_action_at=None)
    _note(said, by, merchant_id, binding.party_id, channel_account_id=binding.channel_account_id)
    return said


@db.action
def note_cap(*, by: Actor, account: ChannelAccount, permille: int) -> None:
    """Keep what part of an order's net a channel says that it gives to others at most (L8)."""
    before = queries.cap(account.merchant_id, account.id)
    db.rows(
        "INSERT INTO splits_cap VALUES (%s, %s, %s, %s) ON CONFLICT (merchant_id, channel_account_id)"
        " DO UPDATE SET permille = excluded.permille, said_at = excluded.said_at",
        [account.merchant_id, account.id, permille, clock.now()],
    )
    if before != permille:
        history.record(
            "split_cap.said",
            by=by,
            merchant_id=account.merchant_id,
            subject=f"channel_account/{account.id}",
            permille=permille,
        )


@db.action
def revoke(*, by: Actor, merchant_id: int, id: int) -> None:
    """Take a party out of use, with its keys and endpoints; what was sent to it goes on."""
    by.require("beneficiaries:write", merchant_id)
    by.require_person()
    party = _held(merchant_id, id)
    states.move_party("revoke", Party, {"merchant_id": merchant_id, "id": id}, waits=False)
    approvals.void(by=by, merchant_id=merchant_id, subject=f"party/{id}", reason="revoked")
    for binding in queries.bindings(merchant_id, id):
        if binding.state in ("asked", "bound", "refused"):
            _release(by, binding)
    people.revoke_partner_keys(by=by, merchant_id=merchant_id, partner_id=id)
    webhooks.remove_partners(by=by, merchant_id=merchant_id, partner_id=id)
    _note("revoked", by, merchant_id, party.id)


@db.action
def agree_logistics(
    *,
    by: Actor,
    merchant_id: int,
    carrier_id: int,
    channel_account_id: int,
    store_id: int | None = None,
    document: str,
    valid_from: date,
    valid_until: date,
) -> LogisticsAgreement:
    """Note a logistics agreement with a confirmed carrier: what is credited meanwhile matures at T+1 (O4).

    Args:
        store_id: the one store that it is for; None for all that collect under the account.

    Raises:
        NotFound, CarrierNeeded, BadAgreement: nothing was noted.
    """
    by.require("platform:write")
    carrier = queries.party(merchant_id, carrier_id)
    if (carrier.relation, carrier.state) != ("carrier", "confirmed"):
        raise CarrierNeeded(carrier_id=carrier_id)
    return merchants.note_logistics_agreement(
        by=by,
        merchant_id=merchant_id,
        channel_account_id=channel_account_id,
        store_id=store_id,
        carrier_id=carrier_id,
        document=document,
        valid_from=valid_from,
        valid_until=valid_until,
    )


def payee(party: Party) -> Payee:
    """Return an account in clear, for the channel alone."""
    digest = bytes(party.account_digest)
    account = data_keys.unseal(bytes(party.account_sealed), _place(party.merchant_id, digest), party.merchant_id)
    return Payee(party.kind, account, party.holder)


def _held(merchant_id: int, id: int) -> Party:
    found = Party.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    return found


def _note(said: str, by: Actor, merchant_id: int, id: int, **detail: Any) -> None:
    history.record(f"party.{said}", by=by, merchant_id=merchant_id, subject=f"party/{id}", **detail)


def _place(merchant_id: int, digest: bytes) -> str:
    return f"splits_party/{merchant_id}/{digest.hex()}"


RESEALING = data_keys.resealing(
    "splits_party",
    {"account_sealed": lambda row: _place(row.merchant_id, bytes(row.account_digest))},
    needs="account_digest",
)
