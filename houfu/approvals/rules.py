"""Rules of approvals: whose turn it is, who may sign and why not, and whether a chain of signatures stands. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from houfu.kernel.errors import Reason


@dataclass(frozen=True)
class Right:
    """That somebody may act in a role: their own, or one that a delegation lends them."""

    role: str
    delegation_id: int | None = None


@dataclass(frozen=True)
class Signer:
    """Whoever wants to sign.

    Args:
        person: the natural person.
        stands_for: the persons that they count as: themselves, and everybody whose delegate they are.
        rights: the roles in which they may act, their own first.
        blocked_until: when they may approve again after their account was recovered.
    """

    person: str
    stands_for: frozenset[str]
    rights: tuple[Right, ...]
    blocked_until: datetime | None = None


@dataclass(frozen=True)
class Asked:
    """What there is to sign, as far as it decides who may.

    Args:
        chain: the roles that must sign, one after another.
        turn: how many of them have.
        requester: the natural person who asks; "" where the product asks by itself.
        editors: the natural persons who have shaped what is asked for.
        counted: the persons as whom the signatures so far count.
    """

    state: str
    chain: tuple[str, ...]
    turn: int
    requester: str
    editors: frozenset[str]
    counted: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True)
class Signed:
    """A signature as it looks now.

    Args:
        stands_for: the persons that the signer counted as when they signed.
        holds_role: whether the signer, or who lent them the role, has it still.
        genuine: whether it is the signer's, over what the screen showed, with a passkey that was valid then.
    """

    step: int
    role: str
    person: str
    stands_for: frozenset[str]
    signed_at: datetime
    holds_role: bool
    genuine: bool


def next_role(chain: Sequence[str], turn: int) -> str | None:
    """Return the role whose turn it is; None when all have signed."""
    return chain[turn] if turn < len(chain) else None


def stands_for(person: str, lent: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the persons that somebody counts as: themselves, who lent them a role, and who lent those one (I-14).

    Args:
        lent: the delegations in force, as (who lends, whose delegate).
    """
    pairs = list(lent)
    found, waiting = {person}, [person]
    while waiting:
        delegate = waiting.pop()
        further = {lender for lender, to in pairs if to == delegate} - found
        found |= further
        waiting += further
    return frozenset(found)


def right(signer: Signer, role: str | None) -> Right | None:
    """Return by which right somebody acts in a role: their own before a lent one."""
    return next((each for each in signer.rights if each.role == role), None)


def own_matter(asked: Asked, signer: Signer) -> list[Reason]:
    """Return why somebody is too close to what is asked for to decide it: as a natural person, or as a delegate."""
    involved = asked.editors | {asked.requester}
    behind = sorted((signer.stands_for - {signer.person}) & involved)
    found = []
    if signer.person == asked.requester:
        found.append(Reason("own_request", "S7", {}, "Somebody else must sign."))
    if signer.person in asked.editors:
        found.append(Reason("own_edit", "I-14", {}, "Somebody else must sign."))
    if behind:
        cure = "Somebody who is not their delegate must sign."
        found.append(Reason("delegate_of_requester", "I-14", {"persons": behind}, cure))
    return found


def refusals(asked: Asked, signer: Signer, at: datetime) -> list[Reason]:
    """Return every reason why somebody may not sign now (S7, I-14); none means that they may."""
    return [*closed(asked, at), *own_matter(asked, signer), *_counted(asked, signer), *_not_theirs(asked, signer, at)]


def refusals_to_reject(asked: Asked, signer: Signer, at: datetime) -> list[Reason]:
    """Return why somebody may not say no: whoever has a role of the chain may, at any step, even who has signed."""
    found = [*closed(asked, at), *own_matter(asked, signer)]
    if not {each.role for each in signer.rights} & set(asked.chain):
        found.append(Reason("role_missing", "S7", {"roles": list(asked.chain)}, "Somebody with such a role decides."))
    return found


def closed(asked: Asked, at: datetime) -> list[Reason]:
    """Return why nothing can be signed any more, whoever comes."""
    if asked.state != "open":
        return [Reason("request_closed", "S7", {"state": asked.state}, "Nothing is left to sign.")]
    if at >= asked.expires_at:
        figures = {"expires_at": asked.expires_at.isoformat()}
        return [Reason("request_expired", "S7", figures, "Ask anew.")]
    return []


def _counted(asked: Asked, signer: Signer) -> list[Reason]:
    """One person counts once, under whatever name (I-14)."""
    if signer.person in asked.counted:
        return [Reason("counted_already", "I-14", {}, "One person counts once; somebody else must sign.")]
    if behind := sorted(signer.stands_for & asked.counted):
        cure = "A delegate counts as who lent the role, too; somebody else must sign."
        return [Reason("counted_for_delegator", "I-14", {"persons": behind}, cure)]
    return []


def _not_theirs(asked: Asked, signer: Signer, at: datetime) -> list[Reason]:
    """The chain is sequential, and an account that was recovered waits (S7, 4.4)."""
    role, found = next_role(asked.chain, asked.turn), []
    if role and not right(signer, role):
        if {each.role for each in signer.rights} & set(asked.chain):
            found.append(Reason("not_their_turn", "S7", {"turn_of": role}, f"It is the turn of {role}."))
        else:
            found.append(Reason("role_missing", "S7", {"roles": [role]}, f"Somebody who is {role} signs here."))
    if signer.blocked_until and at < signer.blocked_until:
        until = signer.blocked_until.isoformat()
        found.append(Reason("recently_recovered", "S7", {"until": until}, f"Wait until {until}, or let another sign."))
    return found


def unproven(
    chain: Sequence[str], involved: Collection[str], signed: Sequence[Signed], expires_at: datetime
) -> list[Reason]:
    """Return every reason why signatures do not approve: the final gate, the same rules once more (I-14).

    Args:
        chain: the roles that must have signed, in this order.
        involved: requester and editors, as natural persons.
        signed: the signatures that stand.
    """
    found = []
    if [(each.step, each.role) for each in signed] != list(enumerate(chain)):
        roles = [each.role for each in signed]
        found.append(Reason("chain_incomplete", "S7", {"chain": list(chain), "signed": roles}, "Let the chain sign."))
    times = [each.signed_at for each in signed]
    if times != sorted(times):
        found.append(Reason("chain_out_of_order", "S7", {}, "Ask anew."))
    counted = set(involved) - {""}
    for each in signed:
        figures = {"step": each.step, "role": each.role, "person": each.person}
        if not each.genuine:
            found.append(Reason("signature_not_genuine", "S7", figures, "Ask anew."))
        if not each.holds_role:
            found.append(Reason("signer_lost_role", "S7", figures, "Ask anew."))
        if each.stands_for & counted:
            found.append(Reason("persons_not_distinct", "I-14", figures, "Ask anew."))
        if each.signed_at >= expires_at:
            found.append(Reason("signed_too_late", "S7", figures, "Ask anew."))
        counted |= each.stands_for
    return found
