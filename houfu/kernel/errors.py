"""Refusals: one class for each reason to say no, its code stable, its docstring the message."""

from collections.abc import Iterator
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, ClassVar


@dataclass(frozen=True)
class Reason:
    """One of several reasons to refuse, with what a person needs in order to cure it (P10).

    Args:
        code: stable name of the reason, as a client may match it.
        rule: id of the rule in the specification, such as "P4".
        figures: the numbers that decided, by name and unit (`amount_fen`, `minimum_fen`).
        cure: what would make the reason go away, as one sentence.
    """

    code: str
    rule: str
    figures: dict[str, Any]
    cure: str


class Refused(Exception):
    """The request was understood and refused; nothing moved."""

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409

    def __init__(self, *reasons: Reason, **details: Any) -> None:
        self.reasons = reasons
        self.details = details
        super().__init__(self.message)

    @property
    def message(self) -> str:
        return cleandoc(type(self).__doc__ or self.code)

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.details.items())
        codes = ", ".join(reason.code for reason in self.reasons)
        return " ".join(part for part in (self.message, facts and f"({facts})", codes and f"[{codes}]") if part)


class Invalid(Refused):
    """The request does not have the form that this operation takes."""

    code = "invalid"
    status = 422


class NotFound(Refused):
    """There is no such thing here, or it is not yours to see."""

    code = "not_found"
    status = 404


class Forbidden(Refused):
    """Your key or role does not cover this operation."""

    code = "forbidden"
    status = 403


class Unauthenticated(Refused):
    """The request carries no key, session or invitation that is valid."""

    code = "unauthenticated"
    status = 401


class Busy(Refused):
    """The database is busy with the same rows; nothing moved, and the request may be sent again as it is."""

    code = "busy"
    status = 503


class IllegalMove(Refused):
    """The thing is not in a state that allows this step."""

    code = "illegal_move"


def codes() -> Iterator[tuple[str, type[Refused]]]:
    """Yield every refusal of the product with its code, for the documentation and its test."""
    waiting: list[type[Refused]] = [Refused]
    while waiting:
        refusal = waiting.pop()
        yield refusal.code, refusal
        waiting.extend(refusal.__subclasses__())
