"""Pure decisions about payouts: every reason against one, its fee and its number."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from houfu.kernel.errors import Reason
from houfu.kernel.money import share_down, share_half_up, yuan
from houfu.policies.pack import Payouts, Policy, Waiver


@dataclass(frozen=True)
class Facts:
    """What decides whether a payout may be requested.

    Args:
        available_fen: matured money of the store that is not set aside.
        deficit_fen: what the store owes from refunds after payout.
        payee_class: purpose class of the beneficiary; None when the merchant has no such beneficiary.
        goes_at: when it would be sent; None when the calendar does not know.
        restricted: whether compliance has restricted the store, so that no run pays it.
    """

    at: datetime
    amount_fen: int
    purpose: str
    available_fen: int
    deficit_fen: int
    store_state: str
    payee_class: str | None
    payee_state: str
    payee_channel_state: str
    payee_usable_from: datetime | None
    goes_at: datetime | None
    restricted: bool = False


def blocks(facts: Facts, policy: Payouts) -> list[Reason]:
    """Return every reason against a payout, each with its figures and its cure (P4–P6, P8, P10, O7)."""
    reasons: list[Reason] = []
    largest_fen = largest(facts.available_fen, policy)
    if facts.goes_at is None:
        reasons.append(
            Reason(
                "calendar_year_unknown", "P2", {"at": facts.at.isoformat()}, "Load the official calendar of that year."
            )
        )
    if facts.amount_fen < policy.minimum_fen:
        figures = {"amount_fen": facts.amount_fen, "minimum_fen": policy.minimum_fen}
        reasons.append(Reason("below_minimum", "P4", figures, f"Ask for at least {yuan(policy.minimum_fen)} yuan."))
    if facts.amount_fen > largest_fen:
        reasons.append(
            Reason(
                "cover_too_thin",
                "P5",
                {
                    "amount_fen": facts.amount_fen,
                    "available_fen": facts.available_fen,
                    "coverage_permille": policy.coverage_permille,
                    "largest_fen": largest_fen,
                },
                f"Ask for at most {yuan(largest_fen)} yuan, or wait for more to mature.",
            )
        )
    if facts.deficit_fen:
        reasons.append(
            Reason(
                "deficit_open",
                "O7",
                {"deficit_fen": facts.deficit_fen},
                "Wait until the next maturities have repaid it.",
            )
        )
    if facts.store_state != "active":
        reasons.append(Reason(f"store_{facts.store_state}", "K4", {}, "Have the store unfrozen first."))
    if facts.restricted:
        reasons.append(Reason("store_restricted", "K4", {}, "Ask for this payout by hand; compliance looks at it."))
    return reasons + _purpose(facts, policy) + _payee(facts, policy)


def _purpose(facts: Facts, policy: Payouts) -> list[Reason]:
    if facts.purpose in policy.denied_purposes:
        return [Reason("purpose_denied", "P8", {"purpose": facts.purpose}, "Pay this by other means.")]
    if facts.purpose not in policy.purposes:
        return [
            Reason(
                "purpose_unknown",
                "P8",
                {"purpose": facts.purpose, "purposes": list(policy.purposes)},
                "Choose one of the purposes.",
            )
        ]
    return []


def _payee(facts: Facts, policy: Payouts) -> list[Reason]:
    if facts.payee_class is None:
        return [Reason("beneficiary_unknown", "P6", {}, "Register the account first.")]
    reasons = []
    if facts.payee_class in policy.denied_purposes:
        reasons.append(Reason("beneficiary_denied", "P8", {"class": facts.payee_class}, "Choose another beneficiary."))
    if facts.payee_state != "verified":
        reasons.append(
            Reason("beneficiary_not_verified", "P6", {"state": facts.payee_state}, "Have the account verified.")
        )
    elif facts.payee_usable_from and facts.at < facts.payee_usable_from:
        reasons.append(
            Reason(
                "beneficiary_cooling",
                "P6",
                {"usable_from": facts.payee_usable_from.isoformat()},
                "Wait until the cooling period is over.",
            )
        )
    if facts.payee_channel_state != "normal":
        reasons.append(
            Reason(f"beneficiary_{facts.payee_channel_state}", "P6", {}, "Choose an account in normal state.")
        )
    return reasons


def largest(available_fen: int, policy: Payouts) -> int:
    """Return the largest amount that the balance covers, which is what an automatic run sweeps (P5)."""
    return share_down(available_fen, 1000, policy.coverage_permille)


def fee(amount_fen: int, permille: int) -> int:
    """Return the fee of one payout, deducted from its gross, half-up to the fen (P3)."""
    return share_half_up(amount_fen, permille, 1000)


def waivable(amount_fen: int, waiver: Waiver | None) -> bool:
    """Say whether a payout is large enough to be free, if the platform has any left to give (P7)."""
    return waiver is not None and amount_fen >= waiver.minimum_fen


def request_no(
    merchant_id: int, store_id: int, beneficiary_id: int, parts: Iterable[tuple[str, int, int]], before: int = 0
) -> str:
    """Return the number under which a channel knows a payout: made of what is paid to whom, so that the same money
    cannot go out under two numbers (I-08).

    Args:
        parts: order id, amount and generation of each lot paid out.
        before: how many payouts of the very same content went before: a large lot may be paid out in equal parts.
    """
    content = "\n".join(
        [
            "houfu-payout-v1",
            f"{merchant_id}|{store_id}|{beneficiary_id}|{before}",
            *("|".join(map(str, part)) for part in sorted(parts)),
        ]
    )
    return "HF" + base64.b32encode(hashlib.sha256(content.encode()).digest()).decode()[:30]


def first_state(
    chain: Sequence[str], hold_class: str, now: datetime, due_at: datetime, policy: Policy
) -> tuple[str, datetime]:
    """Return the state in which a payout begins, and when it is looked at next.

    Whoever must agree is waited for until the approval lapses, which is never before a day after it could go.
    """
    if chain:
        return "pending_approval", max(now + timedelta(hours=policy.staff.approval_hours), due_at + timedelta(days=1))
    return ("risk_hold", now + HOLD_LOOK) if hold_class else ("scheduled", due_at)


Content = dict[str, Any]  # what approvers see and sign


def signed_content(
    payout: Mapping[str, Any], payee: Mapping[str, str], lots: Iterable[tuple[str, int, int]]
) -> Content:
    """Return what those who agree to a payout see and sign: to whom, how much, for what, and out of which lots (4.6).

    Args:
        payout: its id, store_id, amount_fen, fee_fen, purpose and tax_category.
        payee: the account's kind, holder, tail and digest as hex.
        lots: order id, amount and generation of each lot paid out.
    """
    parts = "\n".join("|".join(map(str, part)) for part in sorted(lots))
    return {**payout, "payee": dict(payee), "lots_root": hashlib.sha256(parts.encode()).hexdigest()}


HOLD_LOOK = timedelta(hours=1)  # how often a held payout is looked at, should the word of its release be lost
