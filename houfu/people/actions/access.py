"""Access grants: a merchant lets one of the platform's people in, for what they asked and for some hours (4.6)."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Forbidden, Invalid, NotFound, Refused
from houfu.people.actor import Actor
from houfu.people.models import AccessGrant
from houfu.people.rules import GRANTABLE
from houfu.people.states import move_access
from houfu.policies import queries as policies


@db.refuse_on("people_access_reason", "people_access_scopes", "people_access_hours")
class AccessInvalid(Invalid):
    """An access grant needs a reason, hours within the policy's, and some of the scopes that can be granted."""

    code = "access_invalid"


@db.refuse_on("people_access_one_open")
class AccessAsked(Refused):
    """You have asked this merchant already, and its owner has not answered."""

    code = "access_asked"


class AccessUnneeded(Invalid):
    """Access grants are for the platform's people who sign in; the operator at the terminal needs none."""

    code = "access_unneeded"


@db.refuse_on("people_access_second_person")
class AccessOwners(Forbidden):
    """An owner of the merchant, who is not the one who asks, decides on this by signing in; nobody else does."""

    code = "access_owners"


@db.action
def ask_access(*, by: Actor, merchant_id: int, reason: str, hours: int, scopes: Sequence[str] = ()) -> AccessGrant:
    """Ask a merchant to be let in, as one of the platform's people.

    Args:
        reason: shown to the merchant.
        hours: how long, from when it is given; the policy's `access_hours` at most.
        scopes: what to see and change; all reading that can be granted, unless given.

    Raises:
        AccessInvalid, AccessAsked, AccessUnneeded: nothing was asked.
    """
    by.require("platform:write", merchant_id)
    by.require_person()
    if by.staff_id is None:
        raise AccessUnneeded()
    if not db.rows("SELECT name FROM merchants_merchant WHERE merchant_id = %s", [merchant_id]):
        raise NotFound()
    most = policies.at(clock.now()).staff.access_hours
    wanted = sorted(set(scopes)) or sorted(scope for scope in GRANTABLE if scope.endswith(":read"))
    if not 1 <= hours <= most or set(wanted) - GRANTABLE:
        raise AccessInvalid(hours_at_most=most, scopes=sorted(GRANTABLE))
    id_ = db.rows(
        "INSERT INTO people_access_grant (merchant_id, staff_id, asked_by, person, reason, scopes, hours, state,"
        " asked_at) VALUES (%s, %s, %s, %s, %s, %s, %s, 'asked', %s) RETURNING id",
        [merchant_id, by.staff_id, by.label, by.person, reason, wanted, hours, clock.machine_now()],
    )[0].id
    _record("access.asked", by, merchant_id, id_, reason=reason, hours=hours, scopes=wanted)
    return AccessGrant.objects.get(merchant_id=merchant_id, id=id_)


@db.action
def give_access(*, by: Actor, merchant_id: int, id: int) -> AccessGrant:
    """Let somebody of the platform in, from now for as many hours as they asked.

    Raises:
        AccessOwners: whoever decides is no owner of the merchant, or the one who asks, under another account.
        IllegalMove: it was answered before.
    """
    _require_owner(by, merchant_id)
    asked = held(merchant_id, id)
    expires_at = clock.machine_now() + timedelta(hours=asked.hours)
    move_access("give", AccessGrant, asked.key, given_by=by.person, expires_at=expires_at)
    _record("access.given", by, merchant_id, id, expires_at=expires_at.isoformat())
    return AccessGrant.objects.get(**asked.key)


@db.action
def refuse_access(*, by: Actor, merchant_id: int, id: int) -> AccessGrant:
    """Do not let somebody in who has asked."""
    _require_owner(by, merchant_id)
    move_access("refuse", AccessGrant, held(merchant_id, id).key, ended_by=by.label)
    _record("access.refused", by, merchant_id, id)
    return AccessGrant.objects.get(merchant_id=merchant_id, id=id)


@db.action
def revoke_access(*, by: Actor, merchant_id: int, id: int) -> AccessGrant:
    """End an access grant, or take back the asking; from the next statement on it opens nothing.

    Owners of the merchant may, and so may the platform's people: what only ends an access needs no second thought.
    """
    if "platform:write" in by.scopes:
        by.require("platform:write", merchant_id)
    else:
        by.require("people:write", merchant_id)
    by.require_person()
    move_access("revoke", AccessGrant, held(merchant_id, id).key, ended_by=by.label)
    _record("access.revoked", by, merchant_id, id)
    return AccessGrant.objects.get(merchant_id=merchant_id, id=id)


def _require_owner(by: Actor, merchant_id: int) -> None:
    by.require("people:write", merchant_id)
    by.require_person()
    if by.staff_id is None:
        raise AccessOwners()


def held(merchant_id: int, id: int) -> AccessGrant:
    """Return an access grant, held until the action ends."""
    found = AccessGrant.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=id).first()
    if found is None:
        raise NotFound()
    return found


def _record(verb: str, by: Actor, merchant_id: int, id: int, **detail: Any) -> None:
    history.record(verb, by=by, merchant_id=merchant_id, subject=f"access/{id}", **detail)
