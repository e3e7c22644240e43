"""Pure decisions about conversions between platforms: what is given, what is abnormal, what comes back (L7)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from houfu.kernel.errors import Reason
from houfu.kernel.money import share_down, yuan
from houfu.ledger.actions import Account, Line
from houfu.policies.pack import CrossPlatform

LATELY = timedelta(hours=24)  # within which several conversions are many


class Facts(NamedTuple):
    """What decides about a conversion.

    Args:
        recognised: whether the two stores' principals recognise each other.
        own_fen: the giving store's own limit, in use or not.
        lately: conversions that the merchant has asked for within a day, refused ones too.
    """

    amount_fen: int
    free_fen: int
    own_fen: int
    recognised: bool
    same_principal: bool
    from_state: str
    to_state: str
    lately: int


class Back(NamedTuple):
    """What of a conversion comes back at once: of what was given, and of its haircut."""

    fen: int
    haircut_fen: int


def given(amount_fen: int, policy: CrossPlatform) -> int:
    """Return what the receiving store gets, rounded down to the fen."""
    return share_down(amount_fen, policy.conversion_permille, 1000)


def refusals(facts: Facts, policy: CrossPlatform) -> list[Reason]:
    """Return every reason against a conversion."""
    found = []
    if facts.same_principal:
        found.append(Reason("conversion_same_principal", "L7", {}, "Stores of one principal share limits in a pool."))
    elif not facts.recognised:
        found.append(Reason("conversion_not_recognised", "L7", {}, "Have both platforms' qualifications recognised."))
    if facts.amount_fen > facts.free_fen:
        figures = {"amount_fen": facts.amount_fen, "free_fen": facts.free_fen}
        found.append(
            Reason("conversion_exceeds_free", "L7", figures, f"Convert at most {yuan(max(facts.free_fen, 0))} yuan.")
        )
    if given(facts.amount_fen, policy) == 0:
        figures = {"amount_fen": facts.amount_fen, "conversion_permille": policy.conversion_permille}
        found.append(Reason("conversion_gives_nothing", "L7", figures, "Convert more."))
    if "closed" in (facts.from_state, facts.to_state):
        found.append(Reason("conversion_store_closed", "L7", {}, "Choose stores that are open."))
    return found


def abnormal(facts: Facts, policy: CrossPlatform) -> list[str]:
    """Return what is abnormal about a conversion: then it is held before anybody may confirm it."""
    checks = {
        "many_in_a_day": facts.lately >= policy.abnormal_per_day,
        "large_share": facts.amount_fen * 1000 > facts.own_fen * policy.abnormal_share_permille,
        "store_frozen": "frozen" in (facts.from_state, facts.to_state),
    }
    return [code for code, so in checks.items() if so]


def unconfirmable(
    state: str, asked_person: str, person: str, held_until: datetime, at: datetime, recognised: bool
) -> list[Reason]:
    """Return every reason why somebody may not confirm a conversion now (G9, L7)."""
    found = []
    if state not in ("asked", "held"):
        found.append(Reason("conversion_decided", "L7", {"state": state}, "Nothing is left to decide."))
    if not recognised:
        found.append(
            Reason("conversion_not_recognised", "L7", {}, "Refuse it, or have the qualifications recognised anew.")
        )
    if not person or person == asked_person:
        found.append(Reason("conversion_second_person", "G9", {}, "Somebody else must confirm."))
    if at < held_until:
        until = held_until.isoformat()
        found.append(Reason("conversion_held", "L7", {"held_until": until}, f"Wait until {until}, or refuse it."))
    return found


def back(given_fen: int, haircut_fen: int, returned_fen: int, haircut_back_fen: int, free_fen: int) -> Back:
    """Return what comes back now: what is unused, and the haircut in proportion, rounded down until the last fen.

    Args:
        free_fen: the receiving store's own limit that is not in use; its own comes into use before what was given.
    """
    fen = max(0, min(given_fen - returned_fen, free_fen))
    return Back(fen, haircut_fen * (returned_fen + fen) // given_fen - haircut_back_fen)


def kept(conversion_id: int, store_id: int, amount_fen: int) -> Iterator[Line]:
    """Yield the line that keeps back what somebody asked to convert, until it is decided."""
    yield Line(Account("q:conv", conversion_id), Account("q:own:free", store_id), amount_fen)


def let_go(conversion_id: int, store_id: int, amount_fen: int) -> Iterator[Line]:
    """Yield the line that gives it back whole: it was refused, or lapsed."""
    yield Line(Account("q:own:free", store_id), Account("q:conv", conversion_id), amount_fen)


def handed_on(conversion_id: int, store_id: int, given_fen: int, haircut_fen: int) -> Iterator[Line]:
    """Yield the lines that give it on, less the haircut."""
    yield Line(Account("q:own:free", store_id), Account("q:conv", conversion_id), given_fen)
    yield Line(Account("q:haircut", conversion_id), Account("q:conv", conversion_id), haircut_fen)


def sent_back(conversion_id: int, from_store_id: int, to_store_id: int, part: Back) -> Iterator[Line]:
    """Yield the lines that bring a part back to where it came from, its haircut with it."""
    clearing = Account("q:conv", conversion_id)
    yield Line(clearing, Account("q:own:free", to_store_id), part.fen)
    yield Line(clearing, Account("q:haircut", conversion_id), part.haircut_fen)
    yield Line(Account("q:own:free", from_store_id), clearing, part.fen + part.haircut_fen)
