"""Which rules are in force when."""

from bisect import bisect_right
from collections.abc import Iterable
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


def at_each(instants: Iterable[datetime]) -> list[pack.Policy]:
    """Return the policy in force at each of several instants, looked up at once.

    Raises:
        NoPolicy: one of them lies before the first pack.
    """
    dated = db.rows("SELECT effective_from, version, digest FROM policies_pack ORDER BY effective_from")
    starts = [row.effective_from for row in dated]
    wanted = list(instants)
    places = {instant: bisect_right(starts, instant) - 1 for instant in set(wanted)}
    if any(place < 0 for place in places.values()):
        raise NoPolicy(at=min(places).isoformat())
    return [_decoded(dated[places[instant]].version, dated[places[instant]].digest) for instant in wanted]


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
