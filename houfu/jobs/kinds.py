"""Kinds of long work. Each room says what of its own can be asked for; `houfu.site.kinds` brings them all together."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from houfu.kernel.errors import Invalid
from houfu.people.actor import Actor

Arguments = Mapping[str, Any]
Run = Callable[[Actor, int, Arguments, Any], "Part"]
Tell = Callable[[int, int], None]  # how much is done, and of how much; it stops work that was called off
AtOnce = Callable[[Actor, int, Arguments, Tell], "Part"]


class UnknownKind(Invalid):
    """There is no such kind of work."""

    code = "job_kind_unknown"


@dataclass(frozen=True)
class Part:
    """What a step has brought.

    Args:
        mark: where the next step begins, in JSON; None where this was the last.
        done: how much of the work is done by now, in the kind's own units.
        of: how much there is in all, where that is known.
        content: the next bytes of the file, where the work makes one.
        result: what came of it, as small JSON; of the last step.
    """

    mark: Any
    done: int
    of: int | None = None
    content: bytes = b""
    result: Any = None


@dataclass(frozen=True)
class File:
    """What a job's file is called, and what it is."""

    name: str
    media_type: str


@dataclass(frozen=True)
class Kind:
    """A kind of work.

    Args:
        name: `noun.noun`, such as "export.orders".
        run: takes one step: for an actor, at a merchant, with these arguments, from a mark (None at first). It is one
            transaction with what the job says of itself, of some seconds at most, and may run again where it was not
            committed; so it touches nothing but the database.
        at_once: does all of it instead, in one step of some minutes at most that leaves nothing in the database, as
            work must that cannot be divided. It opens its own transactions, before the one that keeps what came of it.
        needs: the scopes that these arguments ask for; looked at before every step, too.
        whole: whether it is a matter of the whole merchant.
        everybody: whether it is one of the platform's duties towards all merchants (4.6).
        file: the file that it makes, if any.
    """

    name: str
    run: Run | None
    needs: Callable[[Arguments], frozenset[str]]
    whole: bool = False
    file: Callable[[Arguments], File] | None = None
    at_once: AtOnce | None = None
    everybody: bool = False

    def require(self, by: Actor, merchant_id: int, arguments: Arguments) -> None:
        """Refuse unless somebody may have this done.

        Raises:
            Forbidden, NotFound, WholeMerchantNeeded: they may not.
        """
        for scope in sorted(self.needs(arguments)):
            by.require(scope, merchant_id)
        if self.whole:
            by.require_whole()


_kinds: dict[str, Kind] = {}


def kind(
    name: str,
    *,
    needs: Callable[[Arguments], frozenset[str]],
    run: Run | None = None,
    at_once: AtOnce | None = None,
    whole: bool = False,
    file: Callable[[Arguments], File] | None = None,
    everybody: bool = False,
) -> Kind:
    """Let a kind of work be asked for from now on, by steps or at once; see `Kind` for the arguments."""
    if (run is None) == (at_once is None):
        raise RuntimeError(f"{name} is done either step by step or at once")
    _kinds[name] = Kind(name, run, needs, whole, file, at_once, everybody)
    return _kinds[name]


def found(name: str) -> Kind:
    """Return a kind of work.

    Raises:
        UnknownKind: no room has said that it does this.
    """
    if name not in _kinds:
        raise UnknownKind(kind=name, known=sorted(_kinds))
    return _kinds[name]


def canonical(said: Any) -> str:
    """Write arguments, marks and results in the one way in which they are kept and compared."""
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
