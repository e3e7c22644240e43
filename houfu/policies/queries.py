"""Which rules are in force when."""

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from houfu.kernel import db
from houfu.kernel.errors import NotFound, Refused
from houfu.policies import pack
from houfu.policies.models import Pack

_known: "Packs | None" = None
_supposed: ContextVar[tuple[datetime, pack.Policy] | None] = ContextVar("supposed", default=None)


class NoPolicy(Refused):
    """No policy pack is in force at that instant."""

    code = "policy_none_in_force"


def at(instant: datetime) -> pack.Policy:
    """Return the policy in force at an instant: the pack that took effect last before it (I-20).

    Raises:
        NoPolicy: the instant lies before the first pack.
    """
    if supposed := _supposed_at(instant):
        return supposed
    found = db.rows(
        "SELECT version, digest FROM policies_pack WHERE effective_from <= %s ORDER BY effective_from DESC LIMIT 1",
        [instant],
    )
    if not found:
        raise NoPolicy(at=instant.isoformat())
    return _decoded(found[0].version, found[0].digest)


@dataclass(frozen=True)
class Packs:
    """All packs as they were when they were read, the earliest first; a pack is never changed, but one may be added."""

    starts: list[datetime]
    digests: list[bytes]
    versions: list[str]

    def at_each(self, instants: Sequence[datetime]) -> list[pack.Policy]:
        """Return the policy in force at each of several instants.

        Raises:
            NoPolicy: one of them lies before the first pack.
        """
        if not instants:
            return []
        if _supposed.get():
            return [_supposed_at(instant) or self._policy(self._place(instant)) for instant in instants]
        earliest, last = self._place(min(instants)), self._place(max(instants))
        if earliest == last:
            return [self._policy(last)] * len(instants)
        return [self._policy(self._place(instant)) for instant in instants]

    def _place(self, instant: datetime) -> int:
        place = bisect_right(self.starts, instant) - 1
        if place < 0:
            raise NoPolicy(at=instant.isoformat())
        return place

    def _policy(self, place: int) -> pack.Policy:
        return _decoded(self.versions[place], self.digests[place])


@contextmanager
def supposing(policy: pack.Policy, since: datetime) -> Iterator[None]:
    """Let facts from an instant on be judged by another policy while the block runs, in this thread alone (T5).

    For trying a policy on what has happened, in a transaction that is taken back; the packs stay as they are.
    """
    before = _supposed.set((since, policy))
    try:
        yield
    finally:
        _supposed.reset(before)


def _supposed_at(instant: datetime) -> pack.Policy | None:
    supposed = _supposed.get()
    return supposed[1] if supposed and instant >= supposed[0] else None


def read_packs() -> Packs:
    """Return all packs as they are now."""
    found = db.rows("SELECT effective_from, version, digest FROM policies_pack ORDER BY effective_from")
    starts, digests = [row.effective_from for row in found], [row.digest for row in found]
    return Packs(starts, digests, [row.version for row in found])


def known_packs() -> Packs:
    """Return all packs as this process has read them last.

    Whoever decides by them has the database compare their digests with what it has, and calls `forget_packs` where it
    has others.
    """
    global _known
    found = _known or read_packs()
    if found.starts:
        _known = found
    return found


def forget_packs() -> None:
    """Have the packs read anew by whoever asks next."""
    global _known
    _known = None


def at_each(instants: Sequence[datetime]) -> list[pack.Policy]:
    """Return the policy in force at each of several instants, looked up at once.

    Raises:
        NoPolicy: one of them lies before the first pack.
    """
    return read_packs().at_each(instants)


@lru_cache(maxsize=64)
def _decoded(version: str, digest: bytes) -> pack.Policy:
    return pack.decode(Pack.objects.get(version=version).document)


def merged(stated: dict[str, Any]) -> tuple[Pack | None, str]:
    """Return the pack before one that states what changes, and its document over it; it need not be loaded."""
    before = Pack.objects.filter(effective_from__lt=stated["effective_from"]).order_by("-effective_from").first()
    return before, pack.canonical(pack.merged(json.loads(before.document) if before else {}, stated))


def version(version: str) -> pack.Policy:
    """Return the policy of a pack that is loaded.

    Raises:
        NotFound: there is none of that version.
    """
    return pack.decode(access_pack(version).document)


def drafted(text: str) -> pack.Policy:
    """Return the policy that a pack's TOML would make if it were loaded now; nothing is kept (T5).

    Raises:
        PackInvalid: it could not be loaded as it stands.
    """
    return pack.decode(merged(pack.read(text))[1])


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
