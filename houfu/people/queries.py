"""Reading people: who stands behind a token, and which keys there are."""

import hmac

from houfu.kernel import clock, isolation
from houfu.kernel.errors import Unauthenticated
from houfu.people.actions import digest
from houfu.people.actor import Actor
from houfu.people.models import ApiKey


def actor_of(token: str) -> Actor:
    """Return the actor whose token this is.

    Raises:
        Unauthenticated: for a token that is malformed, unknown, expired or revoked, all alike.
    """
    parts = token.split("_", 3)
    if len(parts) != 4 or parts[0] != "hf" or not all(p.isascii() and p.isdigit() and len(p) < 19 for p in parts[1:3]):
        raise Unauthenticated()
    with isolation.acting(isolation.Party("key", int(parts[1]))):
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
    )


def keys(merchant_id: int) -> list[ApiKey]:
    """Return a merchant's keys, newest first."""
    return list(ApiKey.objects.filter(merchant_id=merchant_id).order_by("-id"))
