"""Reading people: who stands behind a token or a member of the staff, who holds a role, and which keys there are."""

import hmac
from dataclasses import dataclass
from datetime import datetime

from houfu.kernel import clock
from houfu.kernel.errors import NotFound, Unauthenticated
from houfu.people import models, rules
from houfu.people.actions.keys import digest
from houfu.people.actor import Actor
from houfu.people.models import ApiKey, Staff


@dataclass(frozen=True)
class Passkey:
    """A passkey, valid from `added_at` until `removed_at`; its public key is a COSE key as CBOR."""

    credential_id: bytes
    public_key: bytes
    added_at: datetime
    removed_at: datetime | None


def actor_of(token: str) -> Actor:
    """Return the actor whose token this is.

    Raises:
        Unauthenticated: for a token that is malformed, unknown, expired or revoked, all alike.
    """
    parts = token.split("_", 3)
    if len(parts) != 4 or parts[0] != "hf" or not all(p.isascii() and p.isdigit() and len(p) < 19 for p in parts[1:3]):
        raise Unauthenticated()
    key = ApiKey.objects.filter(merchant_id=int(parts[1]), id=int(parts[2])).first()
    if key is None or not hmac.compare_digest(bytes(key.secret_digest), digest(parts[3])):
        raise Unauthenticated()
    if key.revoked_at or key.expires_at <= clock.now():
        raise Unauthenticated()
    return Actor(
        label=f"key/{key.id}",
        person=key.person,
        merchant_id=key.merchant_id or None,
        scopes=frozenset(key.scopes),
        kind="key",
    )


def actor_of_staff(member: Staff, device: str = "", ip: str = "") -> Actor:
    """Return the actor that a member of the staff is now.

    Raises:
        Unauthenticated: they are not active.
    """
    if member.state != "active":
        raise Unauthenticated()
    return Actor(
        label=f"staff/{member.id}",
        person=member.person,
        merchant_id=member.merchant_id or None,
        scopes=rules.ROLES[member.role],
        kind="staff",
        staff_id=member.id,
        role=member.role,
        stores=member.stores,
        device=device,
        ip=ip,
    )


def staff(merchant_id: int, staff_id: int) -> Staff:
    """Return a member of a merchant's staff.

    Raises:
        NotFound: there is no such member.
    """
    found = Staff.objects.filter(merchant_id=merchant_id, id=staff_id).first()
    if found is None:
        raise NotFound()
    return found


def everybody(by: Actor, merchant_id: int, *, after: int = 0, limit: int = 100) -> list[Staff]:
    """Return a merchant's staff, by id."""
    by.require("people:read", merchant_id)
    return list(Staff.objects.filter(merchant_id=merchant_id, id__gt=after).order_by("id")[:limit])


def holders(merchant_id: int, role: str, at: datetime) -> list[Staff]:
    """Return who holds a role now and may approve at an instant: active, and not held back after a recovery."""
    held = Staff.objects.filter(merchant_id=merchant_id, role=role, state="active")
    return list(held.exclude(approvals_blocked_until__gt=at).order_by("id"))


def passkeys(merchant_id: int, staff_id: int) -> list[Passkey]:
    """Return the passkeys of a member of the staff, removed ones too, in the order in which they were added."""
    found = models.Passkey.objects.filter(merchant_id=merchant_id, staff_id=staff_id).order_by("id")
    return [Passkey(bytes(p.credential_id), bytes(p.public_key), p.added_at, p.removed_at) for p in found]


def keys(merchant_id: int) -> list[ApiKey]:
    """Return a merchant's keys, newest first."""
    return list(ApiKey.objects.filter(merchant_id=merchant_id).order_by("-id"))
