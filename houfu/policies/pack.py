"""A policy pack: every number the product decides by, typed and checked. Files state it, the database keeps it."""

import tomllib
from datetime import datetime, time
from typing import Annotated, Any, Literal

import msgspec

from houfu.kernel.errors import Invalid

Fen = Annotated[int, msgspec.Meta(ge=0, le=10**13)]
Permille = Annotated[int, msgspec.Meta(ge=0, le=1000)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Chain = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=8)]
HEAD = ("version", "effective_from", "title", "source")  # of a pack: what is no number of it
Clock = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]


class PackInvalid(Invalid):
    """A policy pack states every number it must, in the form and range that the number has."""

    code = "policy_pack_invalid"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Orders(_Part, frozen=True):
    """O1, O2, O4, O6."""

    tolerance_permille: Annotated[int, msgspec.Meta(ge=1000, le=2000)]
    tolerance_note_hours: Count
    authorisation_days: Count
    payment_due_days: Count
    carrier_proof_days: Count
    maturity_days: Count
    logistics_maturity_days: Count


class BuyerLine(_Part, frozen=True):
    score: Count
    line_fen: Fen


class Buyers(_Part, frozen=True):
    """O5: the first line whose score is reached holds; what is held for an order of which nobody hears is let go."""

    lines: tuple[BuyerLine, ...]
    unknown_minutes: Annotated[int, msgspec.Meta(ge=1)] = 10


class Automatic(_Part, frozen=True):
    """P1."""

    weekdays: tuple[Annotated[int, msgspec.Meta(ge=1, le=7)], ...]
    at: Clock
    fee_permille: Permille
    arrival_workdays: tuple[Count, Count]


class Manual(_Part, frozen=True):
    """P2: open on workdays in [opens, closes)."""

    opens: Clock
    closes: Clock
    fee_permille: Permille
    arrival_hours: Count


class Waiver(_Part, frozen=True):
    """P7: payouts of at least `minimum_fen` are free, for the first `count` of the platform."""

    minimum_fen: Fen
    count: Count


class Payouts(_Part, frozen=True):
    """P4–P9; `beneficiary_approvers` are the roles that confirm an account before it is verified."""

    minimum_fen: Fen
    coverage_permille: Annotated[int, msgspec.Meta(ge=1000, le=10000)]
    cooling_hours: Count
    purposes: tuple[str, ...]
    denied_purposes: tuple[str, ...]
    structuring_hours: tuple[Count, ...]
    automatic: Automatic
    manual: Manual
    waiver: Waiver | None = None
    beneficiary_approvers: tuple[str, ...] = ("legal",)


class Tier(_Part, frozen=True):
    """S1–S4, S6: `per_payout_fen` and `monthly_fen` are None where the tier has no such cap."""

    reach: Literal["own_store", "own_and_shared", "group"]
    approvers: tuple[str, ...]
    per_payout_fen: Fen | None = None
    monthly_fen: Fen | None = None


class Staff(_Part, frozen=True):
    """S1–S8; an approval not given within `approval_hours` lapses, a step-up holds for `step_up_minutes`, the platform
    is let in for `access_hours` at most."""

    daily_count: tuple[Count, Count]
    face_permyriad: Annotated[int, msgspec.Meta(ge=0, le=10000)]
    clerk: Tier
    store_manager: Tier
    regional_manager: Tier
    above: Tier
    approval_hours: Annotated[int, msgspec.Meta(ge=1)] = 72
    step_up_minutes: Annotated[int, msgspec.Meta(ge=1)] = 5
    access_hours: Annotated[int, msgspec.Meta(ge=1, le=72)] = 8


class Approvals(_Part, frozen=True):
    """S7: how long a role may be lent, how often a chain is looked after, and when its next signer is reminded."""

    delegation_days: Annotated[int, msgspec.Meta(ge=1)] = 30
    look_minutes: Annotated[int, msgspec.Meta(ge=1)] = 5
    reminder_hours: Annotated[int, msgspec.Meta(ge=1)] = 24


class Pools(_Part, frozen=True):
    """G3–G5, G8–G10; `filing_above_fen` is None while no filing is asked for. A store that joins a pool that runs draws
    `probation_share` × its own limit at most for `probation_days`."""

    max_stores: Count
    limit_fen: Fen
    share_min: Count
    share_max: Count
    filing_above_fen: Fen | None = None
    probation_days: Count = 30
    probation_share: Count = 1
    signatories: Chain = ("owner",)
    confirmers: Chain = ("supervisor",)
    filing_reviewers: Chain = ("legal",)


class Emergency(_Part, frozen=True):
    """L3: restoration may be applied for within `apply_days` from the day on which it opens."""

    repayments: Annotated[int, msgspec.Meta(ge=1)]
    within_hours: Count
    restore_after_days: Count
    apply_days: Annotated[int, msgspec.Meta(ge=1)] = 7
    reviewers: Chain = ("supervisor",)


class Loans(_Part, frozen=True):
    """L1."""

    amount_fen: Fen
    days: Count
    open_per_store: Count
    emergency: Emergency


class Restoration(_Part, frozen=True):
    """L2: each `orders` completed restore `restores_fen`, booked in lots of `lot_fen`."""

    orders: Annotated[int, msgspec.Meta(ge=1)]
    restores_fen: Fen
    lot_fen: Annotated[int, msgspec.Meta(ge=1)]


class Band(_Part, frozen=True):
    """L5."""

    name: str
    opens: Clock
    closes: Clock
    limit_fen: Fen


class Dynamic(_Part, frozen=True):
    """L4–L6; an hour with `rain_tenths_mm` is one of rain, and a place is asked about every `weather_minutes`."""

    base_fen: Fen
    floating_fen: Fen
    rain_fen: Fen
    weather_stale_hours: Count
    bands: tuple[Band, ...]
    rain_tenths_mm: Annotated[int, msgspec.Meta(ge=1)] = 1
    weather_minutes: Annotated[int, msgspec.Meta(ge=1)] = 30


class CrossPlatform(_Part, frozen=True):
    """L7: more than `abnormal_per_day` conversions of a merchant within a day are abnormal, as is one of more than a
    share of the store's own limit; what nobody confirms lapses after `confirm_hours`."""

    conversion_permille: Permille
    abnormal_hold_hours: Count
    abnormal_per_day: Count = 2
    abnormal_share_permille: Permille = 500
    confirm_hours: Annotated[int, msgspec.Meta(ge=1)] = 72
    recognition_approvers: tuple[str, ...] = ("owner",)


class Splits(_Part, frozen=True):
    """L8: who confirms a party and a rule; at least `tell_seconds` lie between two words to a partner of one store."""

    order_permille: Permille
    party_approvers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("legal",)
    rule_approvers: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("legal",)
    tell_seconds: Annotated[int, msgspec.Meta(ge=1)] = 5


class Risk(_Part, frozen=True):
    """K1–K6. What has a default came later than the first pack: the operator's own choice where no pack says else."""

    usage_alert_permille: Permille
    usage_calm_permille: Permille
    device_payouts: Count
    device_hours: Count
    appeals_per_month: Count
    shared_volume_permille: Permille
    dispute_permille: Permille
    dispute_points: Count
    shared_volume_points: Count = 5
    person_payouts: Count = 15
    person_hours: Count = 72
    origin_memory: Annotated[int, msgspec.Meta(ge=1, le=100)] = 20
    takeover_payouts: Count = 3
    return_permille: Permille = 200
    orders_days: Annotated[int, msgspec.Meta(ge=1, le=90)] = 30
    orders_least: Count = 20
    small_order_fen: Fen = 5_000
    small_orders: Count = 10
    first_orders_permille: Permille = 800
    case_hours: Annotated[int, msgspec.Meta(ge=1)] = 72
    reminder_hours: Count = 24


class LookThrough(_Part, frozen=True):
    """T4."""

    shared_fen: Fen
    months: Count


class Compliance(_Part, frozen=True):
    """T1–T4."""

    tax_category: str
    voucher_years: Count
    vat_task_year_fen: Fen
    look_through: LookThrough | None = None


class Retention(_Part, frozen=True):
    """How long what proves nothing is kept: the address that a payout came from, and that a webhook was told."""

    address_days: Annotated[int, msgspec.Meta(ge=180)] = 365
    delivery_days: Annotated[int, msgspec.Meta(ge=30)] = 180


class Policy(_Part, frozen=True):
    """All numbers in force from `effective_from` until the next pack."""

    version: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Za-z._-]{1,40}$")]
    effective_from: datetime
    title: str
    source: str
    orders: Orders
    buyers: Buyers
    payouts: Payouts
    staff: Staff
    pools: Pools
    loans: Loans
    restoration: Restoration
    dynamic: Dynamic
    cross_platform: CrossPlatform
    splits: Splits
    risk: Risk
    compliance: Compliance
    approvals: Approvals = Approvals()
    retention: Retention = Retention()


def read(text: str) -> dict[str, Any]:
    """Read a pack's TOML, which may state only what changes.

    Raises:
        PackInvalid: it is not TOML, or names no version or instant.
    """
    try:
        stated = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PackInvalid(said=str(error)) from error
    if not isinstance(stated.get("version"), str) or not isinstance(stated.get("effective_from"), datetime):
        raise PackInvalid(said="version and effective_from (with an offset) are needed")
    if stated["effective_from"].tzinfo is None:
        raise PackInvalid(said="effective_from needs an offset, such as +08:00")
    return stated


def merged(before: dict[str, Any], stated: dict[str, Any]) -> dict[str, Any]:
    """Return the document before with what a pack states put over it; tables merge, everything else is replaced."""
    result = dict(before)
    for key, value in stated.items():
        there = result.get(key)
        result[key] = merged(there, value) if isinstance(value, dict) and isinstance(there, dict) else value
    return result


def decode(document: str) -> Policy:
    """Return the policy that a merged document states.

    Raises:
        PackInvalid: a field is missing, unknown, out of range, or fields contradict each other.
    """
    try:
        policy = msgspec.json.decode(document, type=Policy)
    except msgspec.ValidationError as error:
        raise PackInvalid(said=str(error)) from error
    if wrong := contradictions(policy):
        raise PackInvalid(fields=wrong)
    return policy


def contradictions(policy: Policy) -> list[str]:
    """Return the fields that cannot hold together."""
    payouts, staff, pools, risk = policy.payouts, policy.staff, policy.pools, policy.risk
    checks = {
        "payouts.manual.closes": time.fromisoformat(payouts.manual.opens) >= time.fromisoformat(payouts.manual.closes),
        "payouts.automatic.weekdays": not payouts.automatic.weekdays,
        "payouts.automatic.arrival_workdays": payouts.automatic.arrival_workdays[0]
        > payouts.automatic.arrival_workdays[1],
        "cross_platform.recognition_approvers": not policy.cross_platform.recognition_approvers,
        "payouts.denied_purposes": bool(set(payouts.purposes) & set(payouts.denied_purposes)),
        "staff.daily_count": staff.daily_count[0] > staff.daily_count[1],
        "pools.share_max": not 1 <= pools.share_min <= pools.share_max,
        "restoration.lot_fen": policy.restoration.lot_fen < policy.restoration.restores_fen,
        "risk.usage_calm_permille": risk.usage_calm_permille > risk.usage_alert_permille,
        "buyers.lines": list(policy.buyers.lines) != sorted(policy.buyers.lines, key=lambda line: -line.score),
    }
    return [field for field, wrong in checks.items() if wrong]


def canonical(document: dict[str, Any]) -> str:
    """Write a document as JSON in one way only, so that equal documents have equal digests."""
    return msgspec.json.encode(document, order="deterministic").decode()


Change = tuple[str, Any, Any]


def diff(old: dict[str, Any], new: dict[str, Any], path: str = "") -> list[Change]:
    """Return what differs between two documents, as (dotted path, old, new); None where one has no such field."""
    changes: list[Change] = []
    for key in sorted(old.keys() | new.keys()):
        here, before, after = f"{path}{key}", old.get(key), new.get(key)
        if isinstance(before, dict) or isinstance(after, dict):
            changes += diff(before or {}, after or {}, f"{here}.")
        elif before != after:
            changes.append((here, before, after))
    return changes
