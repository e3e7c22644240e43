"""The staff: invited, changed, disabled and enabled again, by those who may, and never by themselves."""

import secrets
from datetime import timedelta
from typing import Any

from houfu.history import actions as history
from houfu.kernel import clock, db, vault
from houfu.kernel.errors import Forbidden, Invalid, NotFound, Refused
from houfu.people import rules
from houfu.people.actions.keys import digest
from houfu.people.actions.sessions import end_sessions
from houfu.people.actor import Actor
from houfu.people.models import Staff
from houfu.people.rules import Settings
from houfu.people.states import move_staff
from houfu.policies import queries as policies

INVITATION = timedelta(days=7)


@db.refuse_on(
    "people_staff_name", "people_staff_role", "people_staff_daily_count", "people_staff_per_payout",
    "people_staff_monthly", "people_staff_stores", "people_staff_platform_role",
)  # fmt: skip
class StaffInvalid(Invalid):
    """A member of the staff needs a name, a role of the merchant, the stores that the role needs, and sound caps."""

    code = "people_staff_invalid"


class IdentityUnreadable(Invalid):
    """A person is known by the number of an identity document: 6 to 40 letters and digits."""

    code = "people_identity_unreadable"


class OwnTier(Forbidden):
    """Nobody decides on their own role, stores or caps."""

    code = "people_own_tier"


class OwnerExists(Refused):
    """The first account is there already; it invites the others."""

    code = "people_owner_exists"


class LastOwner(Refused):
    """This is the last who could decide on the staff; make another one first."""

    code = "people_last_owner"


@db.action
def create_owner(*, by: Actor, merchant_id: int, name: str, identity: str) -> tuple[Staff, str]:
    """Invite the first person of a merchant, its owner, or of the platform (merchant 0), and return the invitation.

    It is open again when every owner has been disabled.

    Raises:
        OwnerExists: there is one already.
        StaffInvalid, IdentityUnreadable: nobody was invited.
    """
    by.require("platform:write")
    by.require_person()
    if merchant_id and not db.rows("SELECT name FROM merchants_merchant WHERE merchant_id = %s", [merchant_id]):
        raise NotFound()
    role = "owner" if merchant_id else "operator"
    db.rows("SELECT pg_advisory_xact_lock(hashtextextended(%s, 8))", [f"people/{merchant_id}"])
    if Staff.objects.filter(merchant_id=merchant_id, role=role).exclude(state="disabled").exists():
        raise OwnerExists()
    return _invite(by, merchant_id, name, identity, Settings(role))


@db.action
def invite(*, by: Actor, merchant_id: int, name: str, identity: str, settings: Settings) -> tuple[Staff, str]:
    """Invite a person to a merchant's staff and return the invitation, which is shown this once.

    Args:
        identity: the number of their identity document; its keyed digest alone is kept, so that a second account
            of the same person is the same person.

    Raises:
        StaffInvalid: with every reason at once; nobody was invited.
        OwnTier: somebody invites themselves.
    """
    _require(by, merchant_id)
    return _invite(by, merchant_id, name, identity, settings)


@db.action
def change(*, by: Actor, merchant_id: int, id: int, settings: Settings) -> Staff:
    """Set role, stores and caps of a member of the staff anew; from now on nothing else counts.

    Raises:
        StaffInvalid, OwnTier, LastOwner: they are as they were.
    """
    _require(by, merchant_id)
    found = held(merchant_id, id)
    if found.person == by.person:
        raise OwnTier()
    columns = _columns(merchant_id, settings)
    before = {name: getattr(found, name) for name in columns}
    if columns["role"] != found.role:
        _keep_one_owner(found)
    Staff.objects.filter(merchant_id=merchant_id, id=id).update(**columns)
    changed = {name: [before[name], value] for name, value in columns.items() if before[name] != value}
    if changed.keys() & {"role", "store_ids"}:
        end_sessions(merchant_id, id)
    if changed:
        history.record("staff.changed", by=by, merchant_id=merchant_id, subject=f"staff/{id}", changed=changed)
    return Staff.objects.get(merchant_id=merchant_id, id=id)


@db.action
def disable(*, by: Actor, merchant_id: int, id: int, reason: str) -> None:
    """End what a member of the staff may do, at once.

    Raises:
        LastOwner: nobody could invite or enable anybody afterwards.
    """
    if "platform:write" not in by.scopes:
        _require(by, merchant_id)
    by.require_person()
    found = held(merchant_id, id)
    if "platform:write" not in by.scopes:  # the platform can stop anybody, and then invite another owner
        _keep_one_owner(found)
    move_staff("disable", Staff, {"merchant_id": merchant_id, "id": id}, invitation_digest=None)
    end_sessions(merchant_id, id)
    history.record("staff.disabled", by=by, merchant_id=merchant_id, subject=f"staff/{id}", reason=reason)


@db.action
def enable(*, by: Actor, merchant_id: int, id: int) -> None:
    """Let a disabled member of the staff work again.

    Raises:
        OwnTier: nobody enables themselves, by another account of theirs.
    """
    _require(by, merchant_id)
    if held(merchant_id, id).person == by.person:
        raise OwnTier()
    move_staff("enable", Staff, {"merchant_id": merchant_id, "id": id})
    history.record("staff.enabled", by=by, merchant_id=merchant_id, subject=f"staff/{id}")


def _invite(by: Actor, merchant_id: int, name: str, identity: str, settings: Settings) -> tuple[Staff, str]:
    person_id = _person(identity)
    if by.person == f"person/{person_id}":
        raise OwnTier()
    secret, now = secrets.token_urlsafe(32), clock.now()
    columns = _columns(merchant_id, settings)
    staff_id = db.rows(
        "INSERT INTO people_staff (merchant_id, person_id, name, role, store_ids, daily_count, per_payout_fen,"
        " monthly_fen, state, invited_by, created_at, invitation_digest, invitation_expires_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'invited', %s, %s, %s, %s) RETURNING id",
        [merchant_id, person_id, name, *columns.values(), by.label, now, digest(secret), now + INVITATION],
    )[0].id
    history.record("staff.invited", by=by, merchant_id=merchant_id, subject=f"staff/{staff_id}", **columns)
    return Staff.objects.get(merchant_id=merchant_id, id=staff_id), f"hi_{merchant_id}_{staff_id}_{secret}"


def _person(identity: str) -> int:
    """Return the person of an identity, who becomes known with their first account."""
    read = identity.strip().upper()
    if not (read.isascii() and read.isalnum() and 6 <= len(read) <= 40):
        raise IdentityUnreadable()
    mark = vault.fingerprint(read, "person")
    db.rows(
        "INSERT INTO people_person (identity_digest, created_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [mark, clock.now()],
    )
    return int(db.rows("SELECT id FROM people_person WHERE identity_digest = %s", [mark])[0].id)


def _columns(merchant_id: int, settings: Settings) -> dict[str, Any]:
    """Return settings as the table has them, in its order.

    Raises:
        StaffInvalid: with every reason at once.
    """
    policy = policies.at(clock.now()).staff
    stores = sorted(settings.stores) if settings.stores is not None else None
    known = db.rows(
        "SELECT id FROM merchants_store WHERE merchant_id = %s AND id = ANY (%s::bigint[])", [merchant_id, stores or []]
    )
    if reasons := rules.refusals(settings, policy, [row.id for row in known]):
        raise StaffInvalid(*reasons)
    return {
        "role": settings.role,
        "store_ids": stores,
        "daily_count": settings.daily_count or policy.daily_count[1],
        "per_payout_fen": settings.per_payout_fen,
        "monthly_fen": settings.monthly_fen,
    }


def _require(by: Actor, merchant_id: int) -> None:
    """A merchant's staff is its owner's business, the platform's the platform's; and neither is a program's."""
    if merchant_id:
        by.require("people:write", merchant_id)
    else:
        by.require("platform:write")
    by.require_person()


def held(merchant_id: int, id: int) -> Staff:
    """Return a member of the staff, held with those who decide on the staff until the action ends."""
    roles = ("owner", "operator")
    all_held = Staff.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id)
    rows = {row.id: row for row in (all_held.filter(role__in=roles) | all_held.filter(id=id)).order_by("id")}
    if id not in rows:
        raise NotFound()
    return rows[id]


def _keep_one_owner(leaving: Staff) -> None:
    """Refuse to let the last of those go who decide on the staff."""
    if leaving.role not in ("owner", "operator") or leaving.state != "active":
        return
    others = Staff.objects.filter(merchant_id=leaving.merchant_id, role=leaving.role, state="active")
    if not others.exclude(id=leaving.id).exists():
        raise LastOwner()
