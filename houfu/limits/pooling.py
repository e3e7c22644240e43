"""Pure decisions about pools: who may be a member, what may change, what goes back where, what an emergency needs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from houfu.kernel.errors import Reason
from houfu.kernel.money import yuan


class Candidate(NamedTuple):
    """What decides whether a store may be a member of a pool (G1, G2).

    Args:
        member_of: the pool in which it has a place already.
    """

    store_id: int
    sharing: bool
    store_state: str
    of_group: bool
    uscc_verified: bool
    member_of: int | None = None


def membership_refusals(who: Candidate) -> list[Reason]:
    """Return every reason why a store may not be a member of a pool (G1, G2)."""
    figures, found = {"store_id": who.store_id}, []
    if not who.sharing:
        found.append(Reason("sharing_off", "G1", figures, "Switch sharing on in the store's settings."))
    if not who.of_group:
        found.append(Reason("store_not_in_group", "G2", figures, "Only stores of the pool's group may join it."))
    if not who.uscc_verified:
        found.append(Reason("uscc_not_verified", "G2", {}, "Have the merchant's code verified first."))
    if who.member_of is not None:
        figures = {**figures, "pool_id": who.member_of}
        found.append(Reason("member_already", "G2", figures, "A store has a place in one pool at most."))
    if who.store_state != "active":
        found.append(Reason(f"store_{who.store_state}", "K4", figures, "Have the store unfrozen first."))
    return found


class Returned(NamedTuple):
    """What a pool gives back when it closes: to each member by store, and to the operator."""

    members: dict[int, int]
    granted_fen: int


def giving_back(free_fen: int, contributed: Mapping[int, int], granted_fen: int) -> Returned:
    """Return where a pool's quota goes back to; what was lost was granted first, then everybody's pro rata.

    Members' parts of a loss are rounded down, and the rest of it is one fen each of the first of them.

    Args:
        free_fen: all that is left of the pool, nothing of it in use.
        contributed: what each store put in.
    """
    put_in_fen = sum(contributed.values())
    lost_fen = put_in_fen + granted_fen - free_fen
    of_grant_fen = min(lost_fen, granted_fen)
    lost_fen -= of_grant_fen
    parts = {store: lost_fen * fen // put_in_fen if put_in_fen else 0 for store, fen in sorted(contributed.items())}
    rest_fen = lost_fen - sum(parts.values())
    for store, fen in sorted(contributed.items()):
        if rest_fen and parts[store] < fen:
            parts[store], rest_fen = parts[store] + 1, rest_fen - 1
    return Returned({store: contributed[store] - part for store, part in parts.items()}, granted_fen - of_grant_fen)


class Proposal(NamedTuple):
    """What is proposed of a pool, and what decides whether it may be (G5, G8, G9).

    Args:
        members: the stores with a place in the pool that may draw.
        in_group: the stores of its group.
        free_fen: own limit of the giving store that is not in use.
    """

    kind: str
    pool_state: str
    pool_limit_fen: int
    share_before: int
    members: frozenset[int]
    in_group: frozenset[int]
    at: datetime
    share: int = 0
    store_id: int = 0
    to_store_id: int = 0
    amount_fen: int = 0
    free_fen: int = 0
    ends_at: datetime | None = None


def proposal_refusals(said: Proposal) -> list[Reason]:
    """Return every reason against a change of a pool."""
    found = []
    if said.pool_state != "active":
        figures = {"state": said.pool_state}
        found.append(Reason("pool_not_active", "G8", figures, "Only a pool that runs is changed."))
    if said.kind == "share" and said.share == said.share_before:
        found.append(Reason("share_unchanged", "G8", {"share": said.share}, "Name another ratio."))
    if said.kind == "reach":
        found += _reach_refusals(said)
    if said.kind == "move":
        found += _move_refusals(said)
    return found


def _reach_refusals(said: Proposal) -> list[Reason]:
    found = []
    if said.store_id not in said.members:
        figures: dict[str, object] = {"store_id": said.store_id}
        found.append(Reason("store_not_member", "G9", figures, "Name a member that may draw from this pool."))
    if said.amount_fen > said.pool_limit_fen:
        figures = {"amount_fen": said.amount_fen, "limit_fen": said.pool_limit_fen}
        cure = f"The pool holds {yuan(said.pool_limit_fen)} yuan; ask for no more."
        found.append(Reason("reach_beyond_pool", "G9", figures, cure))
    if said.ends_at is None or said.ends_at <= said.at:
        found.append(Reason("ends_too_early", "G9", {}, "Name an end that lies ahead."))
    return found


def _move_refusals(said: Proposal) -> list[Reason]:
    found = []
    if said.store_id == said.to_store_id:
        found.append(Reason("same_store", "G9", {"store_id": said.store_id}, "Name two stores."))
    for store_id in sorted({said.store_id, said.to_store_id} - said.in_group):
        figures = {"store_id": store_id}
        found.append(Reason("store_not_in_group", "G9", figures, "Both stores must be of the pool's group."))
    if said.amount_fen > said.free_fen:
        figures = {"amount_fen": said.amount_fen, "free_fen": said.free_fen}
        found.append(Reason("own_limit_in_use", "G9", figures, f"Move at most {yuan(said.free_fen)} yuan."))
    return found


class Application(NamedTuple):
    """What decides whether reduced limit may be restored by application (L2, L3).

    Args:
        reduced_fen: what is missing to the original limit.
        loan_fen: the emergency's loan, which bounds what may be brought forward.
    """

    state: str
    at: datetime
    opens_at: datetime | None
    apply_until: datetime | None
    amount_fen: int
    reduced_fen: int
    loan_fen: int
    lot_fen: int


def application_refusals(said: Application) -> list[Reason]:
    """Return every reason against an application for restoration (L2, L3)."""
    found = []
    if said.opens_at is None or said.at < said.opens_at or said.state in ("begun", "lapsed"):
        figures: dict[str, object] = {"opens_at": said.opens_at.isoformat() if said.opens_at else None}
        cure = "Restoration opens the day after the orders were settled in time."
        found.append(Reason("restoration_not_open", "L3", figures, cure))
    elif said.apply_until is not None and said.at >= said.apply_until:
        figures = {"apply_until": said.apply_until.isoformat()}
        found.append(Reason("application_too_late", "L3", figures, "Let completed orders earn it back."))
    if said.amount_fen % said.lot_fen:
        figures = {"lot_fen": said.lot_fen}
        found.append(Reason("not_whole_lots", "L2", figures, f"Ask for multiples of {yuan(said.lot_fen)} yuan."))
    most_fen = min(said.reduced_fen, said.loan_fen) // said.lot_fen * said.lot_fen
    if said.amount_fen > most_fen:
        figures = {"amount_fen": said.amount_fen, "reduced_fen": said.reduced_fen, "largest_fen": most_fen}
        found.append(Reason("beyond_original", "L2", figures, f"Ask for at most {yuan(most_fen)} yuan."))
    return found


class Step(NamedTuple):
    """A step of an emergency as a console shows it.

    Args:
        state: "done", "now", "ahead" or "missed".
        missing: what is missing, in numbers by name.
        until: until when it must be done; None where nothing runs out.
    """

    name: str
    state: str
    missing: dict[str, int]
    since: datetime | None
    until: datetime | None


class Standing(Protocol):
    """Where an emergency stands."""

    state: Any
    needed: Any
    settled: Any
    begun_at: Any
    settle_until: Any
    opens_at: Any
    apply_until: Any
    applied_at: Any
    decide_until: Any


def emergency_steps(at: Standing) -> list[Step]:
    """Return the four steps of an emergency: loan, settled orders, application, review (L3)."""
    lapsed, settled = at.state == "lapsed", at.settled >= at.needed
    applied, over = at.applied_at is not None, at.state in ("restored", "refused")
    application = "done" if applied else "missed" if lapsed and settled else "ahead"
    if at.state == "restoration_open":
        application = "now"
    return [
        Step("loan", "done", {}, at.begun_at, None),
        Step(
            "repayments",
            "done" if settled else "missed" if lapsed else "now",
            {} if settled else {"orders": at.needed - at.settled},
            at.begun_at,
            at.settle_until,
        ),
        Step("application", application, {} if applied else {"applications": 1}, at.opens_at, at.apply_until),
        Step(
            "review",
            "done" if over else "now" if at.state == "in_review" else "ahead",
            {} if over else {"signatures": 1},
            at.applied_at,
            at.decide_until,
        ),
    ]
