"""Asking for money out and giving it up again; a run sets money aside by the same steps (P2–P5, P7–P10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from houfu.approvals import actions as approvals
from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Transfer
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.payouts import books, queries, rules, staff, states
from houfu.payouts.models import JoinedPayout, Payout
from houfu.payouts.staff import Asked
from houfu.payouts.tiers import Judgement
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy
from houfu.risk import actions as risk
from houfu.risk.rules import PayoutFacts


class PayoutRefused(Refused):
    """This payout is refused; the reasons say why, all of them (P10)."""

    code = "payout_refused"


class PayoutIdReused(Refused):
    """A payout of this id exists with other content."""

    code = "payout_id_reused"
    status = 422


@dataclass(frozen=True)
class Accepted:
    """A payout that passed every check and is about to be set aside."""

    merchant_id: int
    id: UUID
    store_id: int
    channel_account_id: int
    beneficiary_id: int
    kind: str
    purpose: str
    amount_fen: int
    permille: int
    due_at: datetime
    arrives_by: datetime
    chain: tuple[str, ...] = ()
    joined_fen: int = 0
    hold_class: str = ""


@db.action
def request(
    *, by: Actor, id: UUID, merchant_id: int, store_id: int, beneficiary_id: int, amount_fen: int, purpose: str
) -> Payout:
    """Ask for money of a store to be paid out; it is set aside at once, lot by lot, oldest first.

    Whoever has to agree is asked (S2–S4), and what risk holds is looked at first (K3). Outside the manual window the
    payout waits for the next opening (P2).

    Args:
        id: chosen by the caller; asking again with the same id and content returns the same payout.

    Raises:
        PayoutRefused: with every reason at once; nothing was set aside.
        PayoutIdReused: the id belongs to a payout with other content.
    """
    staff.reach(by, "payouts:write", merchant_id, store_id)
    merchants.lock_merchant(merchant_id)
    merchants.lock_stores([(merchant_id, store_id)])
    asked = Asked(store_id, beneficiary_id, amount_fen, purpose)
    if there := Payout.objects.filter(merchant_id=merchant_id, id=id).first():
        if (there.store_id, there.beneficiary_id, there.amount_fen, there.purpose) != asked:
            raise PayoutIdReused()
        return there
    now = clock.now()
    policy = policies.at(now)
    facts, judgement = _checked(by, merchant_id, asked, now, policy)
    assert facts.goes_at
    manual = policy.payouts.manual
    accepted = Accepted(
        merchant_id,
        id,
        store_id,
        merchants.store(merchant_id, store_id).channel_account_id,
        beneficiary_id,
        "manual",
        purpose,
        amount_fen,
        manual.fee_permille,
        facts.goes_at,
        facts.goes_at + timedelta(hours=manual.arrival_hours),
        chain=judgement.chain,
        joined_fen=judgement.aggregated_fen - amount_fen,
        hold_class=_held_by_risk(by, merchant_id, id, asked, judgement),
    )
    parts = hold([accepted])
    _checked(by, merchant_id, asked, now, policy)
    payout = set_aside(by, policy, now, [accepted], parts)[0]
    _join(payout, judgement)
    _ask_to_agree(by, payout, judgement.chain)
    return payout


def _ask_to_agree(by: Actor, payout: Payout, chain: Sequence[str]) -> None:
    """Ask those who have to agree to a payout, if anybody has."""
    if not chain:
        return
    assert payout.next_action_at
    approvals.open(
        by=by,
        merchant_id=payout.merchant_id,
        id=payout.id,
        subject=f"payout/{payout.id}",
        version=1,
        payload=queries.signed_content(payout),
        chain=chain,
        expires_at=payout.next_action_at,
    )


def _checked(by: Actor, merchant_id: int, asked: Asked, now: datetime, policy: Policy) -> tuple[rules.Facts, Judgement]:
    """Return what decides about a payout, if nothing stands against it.

    Raises:
        PayoutRefused: with every reason.
    """
    facts = queries.facts_for(merchant_id, policy, now, asked)
    judgement = staff.judge(by, merchant_id, asked, now, policy)
    if reasons := [*rules.blocks(facts, policy.payouts), *judgement.reasons]:
        raise PayoutRefused(*reasons)
    return facts, judgement


def _held_by_risk(by: Actor, merchant_id: int, id: UUID, asked: Asked, judgement: Judgement) -> str:
    """Let risk judge a payout, and return the class of its reason to hold it, if it has one (K3, P9)."""
    facts = PayoutFacts(
        store_id=asked.store_id,
        beneficiary_id=asked.beneficiary_id,
        amount_fen=asked.amount_fen,
        person=by.person,
        device=by.device,
        ip=by.ip,
        joined=[str(piece.payout_id) for piece in judgement.joined],
        joined_fen=judgement.aggregated_fen - asked.amount_fen,
        structured=judgement.structured,
    )
    verdict = risk.judge(by=by, merchant_id=merchant_id, subject=f"payout/{id}", facts=facts)
    return verdict.reason_class if verdict.outcome == "hold" else ""


def _join(payout: Payout, judgement: Judgement) -> None:
    """Keep which earlier payouts this one was judged as one with (P9)."""
    JoinedPayout.objects.bulk_create(
        JoinedPayout(
            merchant_id=payout.merchant_id,
            payout_id=payout.id,
            joined_id=piece.payout_id,
            amount_fen=piece.amount_fen,
            shares=list(piece.shares),
        )
        for piece in judgement.joined
    )


def hold(accepted: Sequence[Accepted]) -> list[list[orders.Part]]:
    """Take the lots that payouts pay out, then lock the stores' claims, so that the checks can be repeated."""
    parts = orders.allocate([(each.merchant_id, each.store_id, each.amount_fen) for each in accepted])
    ledger.lock_of(
        [(each.merchant_id, Account(kind, each.store_id)) for each in accepted for kind in ("claim:matured", "deficit")]
    )
    return parts


def set_aside(
    by: Actor, policy: Policy, now: datetime, accepted: Sequence[Accepted], allocated: Sequence[Sequence[orders.Part]]
) -> list[Payout]:
    """Create payouts and set their money aside: ledger, fee waivers, lots. Stores are held by the caller."""
    ledger.post_all(
        Transfer(each.merchant_id, each.id, "payouts.reserve", now, [books.reserve(each.store_id, each.amount_fen)])
        for each in accepted
    )
    waived = _claim_waivers(policy, accepted)
    payouts = [_payout(by, policy, now, each, each.id in waived) for each in accepted]
    _write(payouts, allocated)
    for payout in payouts:
        history.record(
            "payout.requested",
            by=by,
            merchant_id=payout.merchant_id,
            subject=f"payout/{payout.id}",
            store_id=payout.store_id,
            amount_fen=payout.amount_fen,
            fee_fen=payout.fee_fen,
            waived=payout.waived,
            kind=payout.kind,
            beneficiary_id=payout.beneficiary_id,
            policy=policy.version,
        )
    db.rows("SELECT pg_notify('houfu_work', 'payout')")
    return payouts


def _payout(by: Actor, policy: Policy, now: datetime, accepted: Accepted, waived: bool) -> Payout:
    state, look_at = rules.first_state(accepted.chain, accepted.hold_class, now, accepted.due_at, policy)
    return Payout(
        merchant_id=accepted.merchant_id,
        id=accepted.id,
        store_id=accepted.store_id,
        channel_account_id=accepted.channel_account_id,
        beneficiary_id=accepted.beneficiary_id,
        kind=accepted.kind,
        purpose=accepted.purpose,
        tax_category=policy.compliance.tax_category,
        amount_fen=accepted.amount_fen,
        fee_fen=0 if waived else rules.fee(accepted.amount_fen, accepted.permille),
        waived=waived,
        policy=policy.version,
        state=state,
        requested_by=by.label,
        person=by.person,
        staff_id=by.staff_id,
        device=by.device,
        chain=list(accepted.chain),
        aggregated_fen=accepted.amount_fen + accepted.joined_fen,
        hold_class=accepted.hold_class,
        requested_at=now,
        business_day=clock.business_day(now),
        due_at=accepted.due_at,
        arrives_by=accepted.arrives_by,
        next_action_at=look_at,
    )


def _claim_waivers(policy: Policy, accepted: Sequence[Accepted]) -> set[UUID]:
    """Take the platform's fee-free payouts for those large enough, as long as any is left, and return for which.

    The row decides under concurrency (P7, I-21).
    """
    large = [each.id for each in accepted if rules.waivable(each.amount_fen, policy.payouts.waiver)]
    if not large:
        return set()
    assert policy.payouts.waiver
    claimed = db.rows("SELECT claimed FROM payouts_waiver FOR NO KEY UPDATE")[0].claimed
    got = large[: max(0, policy.payouts.waiver.count - claimed)]
    if got:
        db.rows("UPDATE payouts_waiver SET claimed = claimed + %s", [len(got)])
    return set(got)


_COLUMNS = (
    "merchant_id", "id", "store_id", "channel_account_id", "beneficiary_id", "kind", "purpose", "tax_category",
    "amount_fen", "fee_fen", "waived", "policy", "state", "requested_by", "person", "staff_id", "device",
    "aggregated_fen", "hold_class", "requested_at", "business_day", "due_at", "arrives_by", "next_action_at",
)  # fmt: skip


def _write(payouts: Sequence[Payout], allocated: Sequence[Sequence[orders.Part]]) -> None:
    """Insert payouts and the parts of lots that they pay out."""
    parts = [(payout, part) for payout, parts in zip(payouts, allocated, strict=True) for part in parts]
    db.call(
        "payouts_write_v1",
        *([getattr(payout, name) for payout in payouts] for name in _COLUMNS),
        [",".join(payout.chain) for payout in payouts],
        [payout.merchant_id for payout, _ in parts],
        [payout.id for payout, _ in parts],
        *(list(column) for column in zip(*(part for _, part in parts), strict=True)),
    )


@db.action
def cancel(*, by: Actor, merchant_id: int, id: UUID) -> Payout:
    """Call a payout off that has not been sent; its money is the store's again. Whoever asked may, too."""
    payout = queries.access_payout(by, "payouts:write", merchant_id, id)
    merchants.lock_stores([(merchant_id, payout.store_id)])
    give_up(by=by, payout=payout, verb="cancel", code="cancelled_by_person", sent=False)
    return queries.access_payout(by, "payouts:write", merchant_id, id)


def give_up(*, by: Actor, payout: Payout, verb: str, code: str, sent: bool) -> None:
    """End a payout that will not be paid, within the current action: lots, claim and waiver are given back once."""
    now = clock.now()
    states.move(
        verb, Payout, {"merchant_id": payout.merchant_id, "id": payout.id}, code=code, final_at=now, next_action_at=None
    )
    parts = [
        orders.Part(a.order_id, a.amount_fen, a.generation) for a in queries.allocations(payout.merchant_id, payout.id)
    ]
    orders.free(merchant_id=payout.merchant_id, parts=parts, sent=sent)
    lines = [books.release(payout.store_id, payout.amount_fen)]
    if sent:
        lines = [*books.unsend(payout.channel_account_id, payout.net_fen, payout.fee_fen), *lines]
    ledger.post(payout.merchant_id, ids.new(), f"payouts.{verb}", now, lines)
    orders.offset_deficits(by=by, merchant_id=payout.merchant_id, store_ids=[payout.store_id], at=now)
    return_waiver(payout)
    if payout.chain and not sent:
        approvals.void(by=by, merchant_id=payout.merchant_id, subject=f"payout/{payout.id}", reason=code)
    history.record(
        f"payout.{states.PAYOUT[verb][1]}",
        by=by,
        merchant_id=payout.merchant_id,
        subject=f"payout/{payout.id}",
        code=code,
    )


def return_waiver(payout: Payout) -> None:
    """Give a claimed fee waiver back, as the payout that claimed it did not stay paid."""
    if payout.waived:
        db.rows("UPDATE payouts_waiver SET claimed = claimed - 1")
