"""Rules of people: what a role may do, and what a member of the staff may be set to. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta

from houfu.kernel.errors import Reason
from houfu.kernel.money import yuan
from houfu.people.actor import SCOPES
from houfu.policies.pack import Staff as StaffPolicy
from houfu.policies.pack import Tier

_READ_STORE = {"limits:read", "merchants:read", "orders:read", "payouts:read", "policies:read"}
_READ = _READ_STORE | {"history:read", "ledger:read", "people:read", "risk:read"}
_SELL = {"orders:write", "payouts:write"}
_MERCHANT = frozenset(SCOPES) - {"platform:write", "risk:write"}

ROLES: dict[str, frozenset[str]] = {
    "clerk": frozenset(_READ_STORE | _SELL),
    "store_manager": frozenset(_READ_STORE | _SELL | {"limits:write"}),
    "regional_manager": frozenset(_READ | _SELL | {"limits:write"}),
    "owner": _MERCHANT,
    "supervisor": frozenset(_READ | {"approvals:write"}),
    "legal": frozenset(_READ | {"approvals:write"}),
    "finance": frozenset(_READ | {"approvals:write", "beneficiaries:write", "payouts:write"}),
    "risk_officer": frozenset(_READ | {"approvals:write", "risk:write"}),
    "auditor": frozenset(_READ | {"webhooks:read"}),
    # Whoever runs the platform approves nothing and pays nobody: that is the merchants' own (4.6).
    "operator": frozenset(_READ | {"limits:write", "merchants:write", "platform:write", "risk:write"}),
}
# What a merchant can let one of the platform's people see and change: reading, its limits, its stores and keys.
GRANTABLE = frozenset(_READ | {"limits:write", "merchants:write"})
LADDER = ("clerk", "store_manager", "regional_manager", "above")  # the tiers of payouts, the lowest first (S1–S4)
RECOVERY_HOLD = timedelta(hours=72)  # after a recovery nothing that the recovered person approves counts (4.4)
_MONEY = frozenset({"approvals:write", "beneficiaries:write", "payouts:write", "platform:write"})
PASSKEY_ROLES = frozenset(
    {"operator", "risk_officer"} | {role for role, scopes in ROLES.items() if "approvals:write" in scopes}
)


@dataclass(frozen=True)
class Settings:
    """What an owner sets for a member of the staff.

    Args:
        stores: the stores that they are bound to; None for all of the merchant.
        daily_count: payouts that they may ask for in a day, the policy's most unless given (S5).
        per_payout_fen: a lower cap of their own for one payout; None for the role's.
        monthly_fen: a cap for a month, at most the role's; None for no monthly cap, which is optional (S6).
    """

    role: str
    stores: frozenset[int] | None = None
    daily_count: int | None = None
    per_payout_fen: int | None = None
    monthly_fen: int | None = None


def idle(role: str) -> timedelta:
    """Return how long somebody may be away before they are signed out (4.5)."""
    return timedelta(minutes=15 if ROLES[role] & _MONEY else 30)


def proven(role: str, factors: Collection[str]) -> bool:
    """Say whether what was used to sign in is enough for a role: a passkey for those who decide about money (4.4)."""
    return bool({"webauthn"} & set(factors)) or (
        role not in PASSKEY_ROLES and bool({"totp", "recovery_codes"} & set(factors))
    )


def tier(role: str, policy: StaffPolicy) -> Tier | None:
    """Return the tier of payouts that a role asks in (S1–S4); None for roles that ask in none of their own."""
    if "payouts:write" not in ROLES.get(role, frozenset()):
        return None
    found: Tier = getattr(policy, tier_of(role))
    return found


def tier_of(role: str) -> str:
    """Return the name of the tier in which a role asks for payouts; whoever has no tier's role asks above every one."""
    return role if role in LADDER else "above"


def refusals(settings: Settings, policy: StaffPolicy, known_stores: Iterable[int]) -> list[Reason]:
    """Return every reason against settings: what is beyond the policy, the role or the merchant's stores (S1–S6)."""
    least, most = policy.daily_count
    found = []
    if settings.role not in ROLES:
        found.append(Reason("role_unknown", "S1", {"roles": sorted(ROLES)}, "Name one of the roles."))
    if unknown := sorted((settings.stores or frozenset()) - set(known_stores)):
        found.append(Reason("store_unknown", "S1", {"store_ids": unknown}, "Name stores of this merchant."))
    if settings.daily_count is not None and not least <= settings.daily_count <= most:
        figures = {"daily_count": settings.daily_count, "least": least, "most": most}
        found.append(Reason("daily_count_beyond", "S5", figures, f"Set between {least} and {most} a day."))
    if own_tier := tier(settings.role, policy):
        found += _beyond_tier("per_payout", "S1", own_tier.per_payout_fen, settings.per_payout_fen)
        found += _beyond_tier("monthly", "S6", own_tier.monthly_fen, settings.monthly_fen)
    return found


def _beyond_tier(what: str, rule: str, cap_fen: int | None, own_fen: int | None) -> list[Reason]:
    if own_fen is None or cap_fen is None or own_fen <= cap_fen:
        return []
    figures = {f"{what}_fen": own_fen, "tier_fen": cap_fen}
    return [Reason(f"{what}_beyond_tier", rule, figures, f"Set at most {yuan(cap_fen)} yuan.")]
