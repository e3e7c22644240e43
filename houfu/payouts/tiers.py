"""Pure decisions about staff: who may ask for how much, what is judged as one, and who must agree (S1–S7, P9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from houfu.kernel.errors import Reason
from houfu.kernel.money import yuan
from houfu.people.rules import LADDER, tier_of
from houfu.policies.pack import Staff, Tier


@dataclass(frozen=True)
class Asker:
    """Who asks, with what was set lower for this person than for the role.

    Args:
        role: one of the ladder's; whoever has another role, or none, asks above every tier.
        monthly_fen: a cap for a calendar month, for whom one was set (S6).
        crosses: whether they ask for money of a store that is not their own (S8).
        stepped_up_at: when they last proved with a passkey, or otherwise as the policy accepts it, that it is them.
    """

    role: str
    per_payout_fen: int | None = None
    monthly_fen: int | None = None
    daily_count: int | None = None
    crosses: bool = False
    stepped_up_at: datetime | None = None


@dataclass(frozen=True)
class Joined:
    """An earlier payout that is judged together with the one asked for.

    Args:
        shares: what the two have in common, of "person", "device", "beneficiary" and "store".
    """

    payout_id: UUID
    requested_at: datetime
    amount_fen: int
    shares: tuple[str, ...]


@dataclass(frozen=True)
class Counted:
    """What the asker and those who look like the asker have asked for before; what was given back does not count.

    Args:
        today: payouts of the person in this calendar day.
        month_fen: what the person has asked for in this calendar month.
        joined: payouts of the same person, device, beneficiary or store within the longest of the windows.
    """

    today: int = 0
    month_fen: int = 0
    joined: tuple[Joined, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """What the staff rules say to a payout.

    Args:
        aggregated_fen: the amount with all that is judged as one with it.
        chain: roles whose holders must agree, one after the other.
        joined: the earlier payouts that are judged as one with it.
        structured: whether several small payouts together reach what one could not; compliance looks at it first.
    """

    reasons: tuple[Reason, ...]
    aggregated_fen: int
    chain: tuple[str, ...]
    joined: tuple[Joined, ...]
    structured: bool


def judge(
    asker: Asker, amount_fen: int, counted: Counted, policy: Staff, at: datetime, confirmers: tuple[str, ...] = ()
) -> Judgement:
    """Judge an amount against the asker's tier, alone and together with what it joins (S1–S6, S8, P9).

    Args:
        confirmers: who confirms a payout of another store's claim where no tier asks for anybody (G9).
    """
    tier_name = tier_of(asker.role)
    tier: Tier = getattr(policy, tier_name)
    cap_fen = _lower(tier.per_payout_fen, asker.per_payout_fen)
    aggregated_fen = amount_fen + sum(piece.amount_fen for piece in counted.joined)
    # Beyond the tiers the whole group's people may still ask, and owner and legal decide together (S4).
    climbs = tier.reach == "group" and asker.per_payout_fen is None
    bounded = cap_fen is not None and not climbs
    reasons = [
        *_cap(tier_name, amount_fen, cap_fen if bounded else None),
        *_month(amount_fen, counted.month_fen, asker.monthly_fen and _lower(tier.monthly_fen, asker.monthly_fen)),
        *_day(counted.today, min(policy.daily_count[1], asker.daily_count or policy.daily_count[1])),
        *_step_up(asker, policy, at),
    ]
    needed = max(LADDER.index(tier_name), LADDER.index(covering(aggregated_fen, policy)))
    chain: tuple[str, ...] = getattr(policy, LADDER[needed]).approvers
    return Judgement(
        reasons=tuple(reasons),
        aggregated_fen=aggregated_fen,
        chain=chain or (confirmers if asker.crosses else ()),
        joined=counted.joined,
        structured=bounded and cap_fen is not None and amount_fen <= cap_fen < aggregated_fen,
    )


def covering(amount_fen: int, policy: Staff) -> str:
    """Return the lowest tier whose cap reaches an amount."""
    caps: Sequence[tuple[str, int | None]] = [(name, getattr(policy, name).per_payout_fen) for name in LADDER]
    return next(name for name, cap_fen in caps if cap_fen is None or amount_fen <= cap_fen)


def _lower(*caps: int | None) -> int | None:
    return min((cap for cap in caps if cap is not None), default=None)


def _cap(tier: str, amount_fen: int, cap_fen: int | None) -> list[Reason]:
    if cap_fen is None or amount_fen <= cap_fen:
        return []
    figures = {"amount_fen": amount_fen, "cap_fen": cap_fen, "tier": tier}
    return [Reason("above_tier", "S1", figures, f"Above {yuan(cap_fen)} yuan, somebody of a higher tier asks.")]


def _month(amount_fen: int, month_fen: int, cap_fen: int | None) -> list[Reason]:
    if cap_fen is None or month_fen + amount_fen <= cap_fen:
        return []
    figures = {"amount_fen": amount_fen, "month_fen": month_fen, "cap_fen": cap_fen}
    return [Reason("monthly_cap_reached", "S6", figures, "Have somebody of a higher tier ask, or wait for next month.")]


def _day(today: int, count: int) -> list[Reason]:
    if today < count:
        return []
    return [Reason("daily_count_reached", "S5", {"today": today, "daily_count": count}, "Wait for the next day.")]


def _step_up(asker: Asker, policy: Staff, at: datetime) -> list[Reason]:
    fresh = asker.stepped_up_at and at - asker.stepped_up_at <= timedelta(minutes=policy.step_up_minutes)
    if fresh or not asker.crosses:
        return []
    figures = {"minutes": policy.step_up_minutes}
    return [Reason("step_up_needed", "S8", figures, "Prove with your passkey that it is you, then ask again.")]
