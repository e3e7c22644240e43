"""Reading payouts: quotes and checks, listings, and the trace from a payout to its receipts and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from houfu.approvals import queries as approval_queries
from houfu.calendars import queries as calendars
from houfu.calendars.rules import RunDay
from houfu.kernel import clock, db
from houfu.kernel.errors import NotFound, Reason
from houfu.kernel.money import yuan
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account
from houfu.merchants import queries as merchants
from houfu.orders import queries as orders
from houfu.payouts import rules, staff
from houfu.payouts.models import Allocation, Attempt, Beneficiary, JoinedPayout, Payout, Run, StandingOrder
from houfu.payouts.staff import Asked
from houfu.payouts.states import GIVEN_BACK, WAITING
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy
from houfu.risk import queries as risk_queries


@dataclass(frozen=True)
class Quote:
    """What a payout would cost and bring, before anything is asked for (P3, P10, P11)."""

    amount_fen: int
    fee_fen: int
    net_fen: int
    fee_waived: bool
    available_fen: int
    largest_fen: int
    goes_at: datetime | None
    arrives_by: datetime | None
    orders: list[tuple[str, int]]
    chain: tuple[str, ...]
    reasons: list[Reason]
    policy: str


def quote(by: Actor, merchant_id: int, *, store_id: int, beneficiary_id: int, amount_fen: int, purpose: str) -> Quote:
    """Say what a manual payout would cost, what it would pay out, who would have to agree and every reason against it;
    creates nothing."""
    staff.reach(by, "payouts:read", merchant_id, store_id)
    at = clock.now()
    policy = policies.at(at)
    asked = Asked(store_id, beneficiary_id, amount_fen, purpose)
    facts = facts_for(merchant_id, policy, at, asked)
    judgement = staff.judge(by, merchant_id, asked, at, policy)
    waived = rules.waivable(amount_fen, policy.payouts.waiver) and waivers_left(policy) > 0
    fee_fen = 0 if waived else rules.fee(amount_fen, policy.payouts.manual.fee_permille)
    return Quote(
        amount_fen=amount_fen,
        fee_fen=fee_fen,
        net_fen=amount_fen - fee_fen,
        fee_waived=waived,
        available_fen=facts.available_fen,
        largest_fen=rules.largest(facts.available_fen, policy.payouts),
        goes_at=facts.goes_at,
        arrives_by=facts.goes_at and facts.goes_at + timedelta(hours=policy.payouts.manual.arrival_hours),
        orders=orders.first_lots(merchant_id, store_id, amount_fen) if amount_fen > 0 else [],
        chain=judgement.chain,
        reasons=[*rules.blocks(facts, policy.payouts), *judgement.reasons],
        policy=policy.version,
    )


def facts_for(merchant_id: int, policy: Policy, at: datetime, asked: Asked) -> rules.Facts:
    """Gather what decides about a manual payout."""
    store_id = asked.store_id
    store = merchants.store(merchant_id, store_id)
    payee = Beneficiary.objects.filter(merchant_id=merchant_id, id=asked.beneficiary_id).first()
    stands = ledger.balances(merchant_id, owner=store_id, kinds=("claim:matured", "deficit"))
    return rules.Facts(
        at=at,
        amount_fen=asked.amount_fen,
        purpose=asked.purpose,
        available_fen=stands.get(Account("claim:matured", store_id), 0),
        deficit_fen=stands.get(Account("deficit", store_id), 0),
        store_state=store.state,
        payee_class=payee.purpose_class if payee else None,
        payee_state=payee.state if payee else "",
        payee_channel_state=payee.channel_state if payee else "",
        payee_usable_from=payee.usable_from if payee else None,
        goes_at=window(at).opens_at,
    )


class Window(NamedTuple):
    """Whether the manual window is open, and the instant at which it is."""

    open: bool
    opens_at: datetime | None


def window(at: datetime) -> Window:
    """Return how the window of manual payouts stands at an instant (P2)."""
    manual = policies.at(at).payouts.manual
    opens, closes = time.fromisoformat(manual.opens), time.fromisoformat(manual.closes)
    known = calendars.calendar(at)
    return Window(known.is_open(at, opens, closes), known.next_opening(at, opens, closes))


def run_days(first: date, last: date) -> list[RunDay]:
    """Return the days on which automatic payouts run, by the rules of the first (P1)."""
    automatic = policies.at(clock.start_of(first)).payouts.automatic
    known = calendars.between(first.year - 1, last.year + 1)
    return list(known.run_days(automatic.weekdays, time.fromisoformat(automatic.at), first, last))


def waivers_left(policy: Policy) -> int:
    """Return how many fee-free payouts the platform still has to give (P7)."""
    waiver = policy.payouts.waiver
    return waiver.count - int(db.rows("SELECT claimed FROM payouts_waiver")[0].claimed) if waiver else 0


def access_payout(by: Actor, scope: str, merchant_id: int, id: UUID) -> Payout:
    """Return a payout, if the actor may do `scope` to its store's things, or has asked for it."""
    by.require(scope, merchant_id)
    payout = Payout.objects.filter(merchant_id=merchant_id, id=id).first()
    if payout is None or not (by.sees(payout.store_id) or by.person == payout.person != ""):
        raise NotFound()
    return payout


def payouts(
    by: Actor,
    merchant_id: int,
    *,
    store_id: int | None = None,
    state: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 100,
) -> list[Payout]:
    """Return the payouts of a merchant that the actor may see, newest first.

    Args:
        since, until: asked for from the one on, and before the other.
    """
    found = _listed(by, merchant_id, store_id, state, since, until)
    if after:
        found = found.extra(where=["(requested_at, id) < (%s, %s)"], params=list(after))
    return db.page(found.order_by("-requested_at", "-id"), limit)


def count(
    by: Actor,
    merchant_id: int,
    *,
    store_id: int | None = None,
    state: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> int:
    """Return how many payouts `payouts` lists in all."""
    return _listed(by, merchant_id, store_id, state, since, until).count()


def _listed(
    by: Actor, merchant_id: int, store_id: int | None, state: str, since: datetime | None, until: datetime | None
) -> QuerySet[Payout]:
    by.require("payouts:read", merchant_id)
    found = Payout.objects.filter(merchant_id=merchant_id)
    if by.stores is not None:
        found = found.filter(store_id__in=by.stores)
    if store_id is not None:
        found = found.filter(store_id=store_id)
    if state:
        found = found.filter(state=state)
    if since:
        found = found.filter(requested_at__gte=since)
    return found.filter(requested_at__lt=until) if until else found


def beneficiaries(by: Actor, merchant_id: int) -> list[Beneficiary]:
    """Return a merchant's beneficiaries."""
    by.require("payouts:read", merchant_id)
    return list(Beneficiary.objects.filter(merchant_id=merchant_id).order_by("id"))


def standing_orders(merchant_id: int) -> list[StandingOrder]:
    """Return which stores of a merchant are paid out automatically."""
    return list(StandingOrder.objects.filter(merchant_id=merchant_id).order_by("store_id"))


def runs(by: Actor, merchant_id: int, limit: int = 100) -> list[Run]:
    """Return what became of the run days of the stores that the actor may see, newest first."""
    by.require("payouts:read", merchant_id)
    found = Run.objects.filter(merchant_id=merchant_id)
    if by.stores is not None:
        found = found.filter(store_id__in=by.stores)
    return list(found.order_by("-run_day", "store_id")[:limit])


def allocations(merchant_id: int, payout_id: UUID) -> list[Allocation]:
    """Return which lots a payout pays out."""
    return list(Allocation.objects.filter(merchant_id=merchant_id, payout_id=payout_id).order_by("order_id"))


class PartPaid(NamedTuple):
    """A part of a payout: the order whose money it is, and what that stands on."""

    order_id: str
    amount_fen: int
    gross_fen: int
    evidence: list[str]
    received_at: datetime
    settled_at: datetime
    settled_by: str
    matured_at: datetime


def parts(by: Actor, merchant_id: int, id: UUID, limit: int) -> list[PartPaid]:
    """Return the first parts of a payout, each with its order's receipt, settlement and maturity (W2)."""
    access_payout(by, "payouts:read", merchant_id, id)
    return db.rows(
        "SELECT a.order_id, a.amount_fen, l.gross_fen, ARRAY(SELECT e.kind FROM orders_evidence e"
        " WHERE e.merchant_id = a.merchant_id AND e.order_id = a.order_id AND e.counted ORDER BY e.counts_at),"
        " l.received_at, l.settled_at, l.settled_by, l.matured_at FROM payouts_allocation a"
        " JOIN orders_lot l ON l.merchant_id = a.merchant_id AND l.id = a.order_id"
        " WHERE a.merchant_id = %s AND a.payout_id = %s ORDER BY a.order_id LIMIT %s",
        [merchant_id, id, limit],
        into=PartPaid,
    )


def count_parts(merchant_id: int, id: UUID) -> int:
    """Return how many orders a payout pays."""
    return Allocation.objects.filter(merchant_id=merchant_id, payout_id=id).count()


class PaidOf(NamedTuple):
    """What a payout took of an order's money."""

    payout_id: UUID
    amount_fen: int
    state: str
    requested_at: datetime


def payouts_of(by: Actor, merchant_id: int, order_id: str) -> list[PaidOf]:
    """Return the payouts that have taken some of an order's money, the earliest first."""
    by.require("payouts:read", merchant_id)
    return db.rows(
        "SELECT a.payout_id, a.amount_fen, p.state, p.requested_at FROM payouts_allocation a"
        " JOIN payouts_payout p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id"
        " WHERE a.merchant_id = %s AND a.order_id = %s ORDER BY p.requested_at, p.id",
        [merchant_id, order_id],
        into=PaidOf,
    )


def attempt(merchant_id: int, payout_id: UUID) -> Attempt | None:
    """Return the attempt by which a payout was sent, if it was."""
    return Attempt.objects.filter(merchant_id=merchant_id, payout_id=payout_id).first()


def by_request_no(merchant_id: int, request_no: str) -> Payout | None:
    """Return the payout that was sent under a number."""
    found = Attempt.objects.filter(merchant_id=merchant_id, request_no=request_no).first()
    return Payout.objects.get(merchant_id=merchant_id, id=found.payout_id) if found else None


def with_work(at: datetime, limit: int) -> list[Payout]:
    """Return payouts whose next action is due, of all merchants, the longest waiting first."""
    return list(Payout.objects.filter(next_action_at__lte=at).order_by("next_action_at")[:limit])


def signed_content(payout: Payout) -> rules.Content:
    """Return what those who agree to a payout see and sign."""
    payee = Beneficiary.objects.get(merchant_id=payout.merchant_id, id=payout.beneficiary_id)
    names = ("store_id", "amount_fen", "fee_fen", "purpose", "tax_category")
    return rules.signed_content(
        {"payout": str(payout.id), **{name: getattr(payout, name) for name in names}},
        payee_shown(payee),
        [(a.order_id, a.amount_fen, a.generation) for a in allocations(payout.merchant_id, payout.id)],
    )


def payee_shown(payee: Beneficiary) -> dict[str, str]:
    """Return an account as those see it who agree to it: never its number, but what no other account has."""
    digest = bytes(payee.account_digest).hex()
    return {"kind": payee.kind, "holder": payee.holder, "account_tail": payee.account_tail, "account_digest": digest}


def beneficiary_content(payee: Beneficiary) -> rules.Content:
    """Return what those who confirm an account see and sign."""
    return {"beneficiary": payee.id, "purpose_class": payee.purpose_class, **payee_shown(payee)}


def confirmed() -> list[tuple[int, int]]:
    """Return accounts that wait to be confirmed, of all merchants, and about which the people have decided by now."""
    held = list(Beneficiary.objects.filter(state="registered").values_list("merchant_id", "id"))
    approvals = approval_queries.states_of([(merchant_id, f"beneficiary/{id}") for merchant_id, id in held])
    return [(m, id) for m, id in held if approvals.get((m, f"beneficiary/{id}"), "open") != "open"]


def decided() -> list[tuple[int, UUID]]:
    """Return payouts that wait for people, of all merchants, and about which the people have decided by now."""
    held = list(Payout.objects.filter(state__in=WAITING).values_list("merchant_id", "id", "state"))
    subjects = {
        state: [(merchant_id, f"payout/{id}") for merchant_id, id, found in held if found == state] for state in WAITING
    }
    approvals = approval_queries.states_of(subjects["pending_approval"])
    holds = risk_queries.states_of(subjects["risk_hold"])
    open_states = {"open", "held", ""}
    return [
        (merchant_id, id)
        for merchant_id, id, state in held
        if (approvals if state == "pending_approval" else holds).get((merchant_id, f"payout/{id}"), "")
        not in open_states
    ]


def joined(by: Actor, merchant_id: int, id: UUID) -> list[JoinedPayout]:
    """Return the earlier payouts with which one was judged as one, for compliance (P9)."""
    by.require("risk:write", merchant_id)
    access_payout(by, "payouts:read", merchant_id, id)
    return list(JoinedPayout.objects.filter(merchant_id=merchant_id, payout_id=id).order_by("joined_id"))


def open_elsewhere(merchant_id: int, payout_id: UUID, order_ids: Sequence[str]) -> set[str]:
    """Return those orders of which another payout, neither paid nor given back, holds a part."""
    found = db.rows(
        "SELECT DISTINCT a.order_id FROM payouts_allocation a JOIN payouts_payout p"
        " ON p.merchant_id = a.merchant_id AND p.id = a.payout_id"
        " WHERE a.merchant_id = %s AND a.order_id = ANY (%s) AND a.payout_id <> %s"
        " AND p.final_at IS NULL",
        [merchant_id, list(order_ids), payout_id],
    )
    return {row.order_id for row in found}


def trace(by: Actor, merchant_id: int, id: UUID) -> dict[str, Any]:
    """Return a payout with everything it stands on: lots, orders, settlements and the evidence of their receipt."""
    payout = access_payout(by, "payouts:read", merchant_id, id)
    sent = attempt(merchant_id, id)
    return {
        "payout": _fields(payout),
        "request_no": sent.request_no if sent else None,
        "lots": [
            {"amount_fen": part.amount_fen, **trace_order(merchant_id, part.order_id)}
            for part in allocations(merchant_id, id)
        ],
    }


def trace_back(by: Actor, merchant_id: int, order_id: str) -> dict[str, Any]:
    """Return an order with its evidence, its lot and every payout that paid some of it."""
    orders.access_order(by, "orders:read", merchant_id, order_id)
    found = Allocation.objects.filter(merchant_id=merchant_id, order_id=order_id)
    payouts_by_id = {p.id: p for p in Payout.objects.filter(merchant_id=merchant_id, id__in=found.values("payout_id"))}
    return {
        **trace_order(merchant_id, order_id),
        "payouts": [
            {
                "payout_id": str(part.payout_id),
                "amount_fen": part.amount_fen,
                "state": payouts_by_id[part.payout_id].state,
                "given_back": payouts_by_id[part.payout_id].state in GIVEN_BACK,
            }
            for part in found.order_by("payout_id")
        ],
    }


def trace_order(merchant_id: int, order_id: str) -> dict[str, Any]:
    """Return what is known of an order's way to its money."""
    order = orders.order(merchant_id, order_id)
    lot = orders.lot(merchant_id, order_id)
    return {
        "order": _fields(order),
        "lot": _fields(lot) if lot else None,
        "evidence": [_fields(each) for each in orders.evidence(merchant_id, order_id)],
        "events": [_fields(each) for each in orders.events(merchant_id, order_id)],
    }


def equation(by: Actor, merchant_id: int) -> dict[str, int]:
    """Return where a merchant's settled money is, in fen, from the rows of lots and payouts.

    settled − channel fees − refunds + deficit − split − not matured − disputed − repaid deficit − kept by coverage
    − under way − payout fees = paid out. `difference_fen` is what does not add up, and zero.
    """
    by.require("payouts:read", merchant_id)
    by.require_whole()
    lots = db.rows(
        """
        SELECT coalesce(sum(gross_fen - lost_fen), 0)::bigint AS settled_fen,
               coalesce(sum(fee_fen), 0)::bigint AS channel_fees_fen,
               coalesce(sum(refunded_fen), 0)::bigint AS refunded_fen,
               coalesce(sum(deficit_fen), 0)::bigint AS deficit_fen,
               coalesce(sum(split_fen), 0)::bigint AS split_fen,
               coalesce(sum(left_fen) FILTER (WHERE matured_at IS NULL), 0)::bigint AS not_matured_fen,
               coalesce(sum(disputed_fen), 0)::bigint AS disputed_fen,
               coalesce(sum(offset_fen), 0)::bigint AS deficit_repaid_fen,
               coalesce(sum(left_fen) FILTER (WHERE matured_at IS NOT NULL), 0)::bigint AS kept_by_coverage_fen
        FROM orders_lot WHERE merchant_id = %s AND settled_at IS NOT NULL
        """,
        [merchant_id],
    )[0]._asdict()
    sent = db.rows(
        """
        SELECT coalesce(sum(amount_fen) FILTER (WHERE final_at IS NULL), 0)::bigint AS under_way_fen,
               coalesce(sum(fee_fen) FILTER (WHERE state = 'paid'), 0)::bigint AS payout_fees_fen,
               coalesce(sum(amount_fen - fee_fen) FILTER (WHERE state = 'paid'), 0)::bigint AS paid_out_fen
        FROM payouts_payout WHERE merchant_id = %s
        """,
        [merchant_id],
    )[0]._asdict()
    parts: dict[str, int] = {**lots, **sent}
    signs = dict(_EQUATION)
    total = sum(signs[name] * fen for name, fen in parts.items() if name in signs)
    return {**parts, "difference_fen": total - parts["paid_out_fen"]}


_EQUATION = (
    ("settled_fen", 1),
    ("channel_fees_fen", -1),
    ("refunded_fen", -1),
    ("deficit_fen", 1),
    ("split_fen", -1),
    ("not_matured_fen", -1),
    ("disputed_fen", -1),
    ("deficit_repaid_fen", -1),
    ("kept_by_coverage_fen", -1),
    ("under_way_fen", -1),
    ("payout_fees_fen", -1),
)


def written(equation: dict[str, int]) -> Iterator[str]:
    """Yield the equation as lines to be read, leaving out what is zero."""
    for name, sign in _EQUATION:
        if equation[name] or (sign == 1 and name == "settled_fen"):
            what = name.removesuffix("_fen").replace("_", " ")
            yield f"{'+' if sign > 0 else '−'} {yuan(equation[name]):>16}  {what}"
    holds = "adds up" if equation["difference_fen"] == 0 else f"off by {yuan(equation['difference_fen'])}"
    yield f"= {yuan(equation['paid_out_fen']):>16}  paid out ({holds})"


def _fields(row: Any) -> dict[str, Any]:
    names = [f.attname for f in row._meta.concrete_fields if f.attname != "pk"]
    return {name: getattr(row, name) for name in names}
