"""Logins: an invitation accepted, sign-ins kept in the history, sessions ended, and factors lost and begun anew."""

import hmac
import re
import secrets
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from houfu.history import actions as history
from houfu.kernel import clock, db
from houfu.kernel.errors import Forbidden, Invalid, Refused, Unauthenticated
from houfu.people.actions.keys import digest, parts
from houfu.people.actions.sessions import end_sessions
from houfu.people.actions.staff import INVITATION, OwnTier, held
from houfu.people.actor import Actor
from houfu.people.models import Passkey, Staff
from houfu.people.rules import RECOVERY_HOLD
from houfu.people.states import move_staff

_NAME = re.compile(r"[a-z0-9@.+_-]{3,150}")


class BadUsername(Invalid):
    """A name to sign in by has 3 to 150 of the characters a–z, 0–9 and @ . + - _."""

    code = "people_username_invalid"


@db.refuse_on("auth_user_username_key")
class UsernameTaken(Refused):
    """Somebody signs in by this name already."""

    code = "people_username_taken"


class WeakPassword(Invalid):
    """This password is too short, too common or too much like the name."""

    code = "people_password_weak"


class SecondPersonNeeded(Refused):
    """You have asked for this yourself; another person must confirm it."""

    code = "people_second_person"


@db.action
def accept(*, invitation: str, username: str, password: str) -> None:
    """Turn an invitation into a login; after a recovery the login is there already, and gets a new password.

    Raises:
        Unauthenticated: the invitation is none, or none any more, all alike.
        BadUsername, UsernameTaken, WeakPassword: the invitation stays as it is.
    """
    merchant_id, staff_id, secret = parts(invitation, "hi")
    member = Staff.objects.select_for_update(no_key=True).filter(merchant_id=merchant_id, id=staff_id).first()
    now = clock.now()
    if (
        member is None
        or member.state != "invited"
        or not hmac.compare_digest(bytes(member.invitation_digest or b""), digest(secret))
        or member.invitation_expires_at is None
        or member.invitation_expires_at <= now
    ):
        raise Unauthenticated()
    user = _user_of(member)
    if user is None:
        if not _NAME.fullmatch(username.lower()):
            raise BadUsername()
        user = User(username=username.lower())
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise WeakPassword(codes=[each.code for each in error.error_list]) from error
    user.set_password(password)
    if user.pk:
        user.save(update_fields=["password"])
    else:
        user.save(force_insert=True)
        db.rows("INSERT INTO people_login VALUES (%s, %s, %s)", [user.pk, merchant_id, staff_id])
    move_staff("accept", Staff, {"merchant_id": merchant_id, "id": staff_id}, invitation_digest=None)
    note(member, "staff.accepted")


@db.action
def note(member: Staff | None, verb: str, **detail: Any) -> None:
    """Keep in the history what a member of the staff did about signing in, or somebody whom nobody knows."""
    if member is None:
        nobody = Actor("nobody", "", None, frozenset())
        history.record(verb, by=nobody, merchant_id=history.PLATFORM, subject="staff/unknown", **detail)
    else:
        history.record(verb, by=itself(member), merchant_id=member.merchant_id, subject=f"staff/{member.id}", **detail)


def itself(member: Staff) -> Actor:
    """Return a member of the staff as who acts on their own sign-in, whatever else they may do."""
    return Actor(f"staff/{member.id}", member.person, member.merchant_id or None, frozenset(), kind="staff")


def count_passkey(credential_id: bytes, counter: int) -> bool:
    """Take note of a passkey's counter; say whether it has counted on, or never counts at all."""
    found = db.rows(
        "UPDATE people_passkey SET sign_count = %(n)s WHERE credential_id = %(id)s AND removed_at IS NULL"
        " AND (sign_count < %(n)s OR (sign_count = 0 AND %(n)s = 0)) RETURNING id",
        {"n": counter, "id": credential_id},
    )
    return bool(found)


@db.action
def recover(*, by: Actor, merchant_id: int, id: int) -> tuple[Staff, str]:
    """Let somebody who has lost their factors begin anew: two persons ask for it, the second gets the invitation.

    Every factor and the password end at once, and for 72 hours nothing that they approve counts (4.4).

    Returns:
        The member, and the invitation; it is empty while a second person is needed.

    Raises:
        OwnTier: nobody asks for themselves.
        SecondPersonNeeded: the first person asks again.
    """
    if not by.scopes & {"people:write", "platform:write"}:
        raise Forbidden(scope="people:write")
    by.require("people:read", merchant_id)
    by.require_person()
    member = held(merchant_id, id)
    if member.person == by.person:
        raise OwnTier()
    now, subject = clock.now(), f"staff/{id}"
    asked = db.rows(
        "SELECT asked_by, person FROM people_recovery WHERE merchant_id = %s AND staff_id = %s AND asked_at > %s",
        [merchant_id, id, now - RECOVERY_HOLD],
    )
    db.rows("DELETE FROM people_recovery WHERE merchant_id = %s AND staff_id = %s", [merchant_id, id])
    if not asked:
        row = [merchant_id, id, by.label, by.person, now]
        db.rows("INSERT INTO people_recovery VALUES (%s, %s, %s, %s, %s)", row)
        history.record("recovery.asked", by=by, merchant_id=merchant_id, subject=subject)
        return member, ""
    if asked[0].person == by.person:
        raise SecondPersonNeeded()
    _forget_factors(member)
    secret, until = secrets.token_urlsafe(32), now + RECOVERY_HOLD
    move_staff(
        "recover",
        Staff,
        {"merchant_id": merchant_id, "id": id},
        invitation_digest=digest(secret),
        invitation_expires_at=now + INVITATION,
        approvals_blocked_until=until,
    )
    history.record(
        "recovery.done",
        by=by,
        merchant_id=merchant_id,
        subject=subject,
        asked_by=asked[0].asked_by,
        approvals_blocked_until=until.isoformat(),
    )
    return Staff.objects.get(merchant_id=merchant_id, id=id), f"hi_{merchant_id}_{id}_{secret}"


def _forget_factors(member: Staff) -> None:
    """End everything by which somebody could sign in."""
    kept = Passkey.objects.filter(merchant_id=member.merchant_id, staff_id=member.id, removed_at=None)
    kept.update(removed_at=clock.now())
    if user := _user_of(member):
        db.rows("DELETE FROM mfa_authenticator WHERE user_id = %s", [user.pk])
        user.set_unusable_password()
        user.save(update_fields=["password"])
    end_sessions(member.merchant_id, member.id)


def _user_of(member: Staff) -> User | None:
    found = db.rows(
        "SELECT user_id FROM people_login WHERE merchant_id = %s AND staff_id = %s", [member.merchant_id, member.id]
    )
    return User.objects.get(pk=found[0].user_id) if found else None
