"""Codes of an authenticator app, used once to confirm something, where somebody's merchant allows that."""

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache
from django.db import connection

from houfu.history import actions as history
from houfu.kernel import db
from houfu.kernel.errors import Invalid, Refused
from houfu.people.actor import Actor
from houfu.people.models import Staff

WRONG_AT_MOST, WITHIN_SECONDS = 5, 300


class CodeWrong(Refused):
    """This is not the code that your authenticator shows, or it was used before."""

    code = "people_code_wrong"


class CodesPaused(Refused):
    """Too many wrong codes; wait five minutes."""

    code = "people_codes_paused"
    status = 429


class CodeAlone(Invalid):
    """A code goes in a request of its own, without an Idempotency-Key: a wrong one must be counted."""

    code = "people_code_alone"


def use_totp(*, by: Actor, code: str) -> None:
    """Use the code that the actor's authenticator shows; a wrong one is counted, and five make it pause.

    Raises:
        CodeWrong, CodesPaused: the code confirms nothing.
        CodeAlone: inside another's transaction a wrong code would not be counted.
    """
    if connection.in_atomic_block:
        raise CodeAlone()
    if not _right(by, code):
        raise CodeWrong()


@db.action
def _right(by: Actor, code: str) -> bool:
    """Say whether a code is right, and commit what that means."""
    assert by.staff_id
    own = Staff.objects.select_for_update(no_key=True)  # attempts of one person come one after another
    member = own.get(merchant_id=by.merchant_id or 0, id=by.staff_id)
    counter = f"houfu.totp.wrong/{member.merchant_id}/{member.id}"
    wrong = cache.get(counter, 0)
    if wrong >= WRONG_AT_MOST:
        raise CodesPaused()
    found = db.rows(
        "SELECT user_id FROM people_login WHERE merchant_id = %s AND staff_id = %s", [member.merchant_id, member.id]
    )
    mine = Authenticator.objects.filter(user_id=found[0].user_id, type=Authenticator.Type.TOTP) if found else []
    if any(TOTP(each).validate_code(code) for each in mine):
        cache.delete(counter)
        return True
    cache.set(counter, wrong + 1, WITHIN_SECONDS)
    history.record("code.wrong", by=by, merchant_id=member.merchant_id, subject=f"staff/{member.id}")
    return False
