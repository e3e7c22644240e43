"""Which rules are in force when."""

from datetime import datetime
from functools import lru_cache

from houfu.kernel import db
from houfu.kernel.errors import NotFound, Refused
from houfu.policies import pack
from houfu.policies.models import Pack


class NoPolicy(Refused):
    """No policy pack is in force at that instant."""

    code = "policy_none_in_force"


def at(instant: datetime) -> pack.Policy:
    """Return the policy in force at an instant: the pack that took effect last before it (I-20).

    Raises:
        NoPolicy: the instant lies before the first pack.
    """
    found = db.rows(
        "SELECT version, digest FROM policies_pack WHERE effective_from <= %s ORDER BY effective_from DESC LIMIT 1",
        [instant],
    )
    if not found:
        raise NoPolicy(at=instant.isoformat())
    return _decoded(found[0].version, found[0].digest)


@lru_cache(maxsize=64)
def _decoded(version: str, digest: bytes) -> pack.Policy:
    return pack.decode(Pack.objects.get(version=version).document)


def packs() -> list[Pack]:
    """Return every pack, the earliest first."""
    return list(Pack.objects.order_by("effective_from"))


def access_pack(version: str) -> Pack:
    """Return a pack by its version.

    Raises:
        NotFound: there is none of that version.
    """
    found = Pack.objects.filter(version=version).first()
    if found is None:
        raise NotFound(version=version)
    return found
