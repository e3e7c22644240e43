"""What the libraries of sign-in tell us, kept in the history and among our passkeys."""

from typing import Any

from allauth.account import signals as account_signals
from allauth.mfa import signals as factor_signals
from allauth.mfa.models import Authenticator
from django.http import HttpRequest
from fido2 import cbor

from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actions import login as logins
from houfu.people.actions.sessions import end_sessions
from houfu.people.models import Staff
from houfu.people.sign_in import guard


def connect() -> None:
    """Listen to what happens to factors and passwords."""
    factor_signals.authenticator_added.connect(_added)
    factor_signals.authenticator_removed.connect(_removed)
    factor_signals.authenticator_reset.connect(_reset)
    factor_signals.authenticator_used.connect(_used)
    factor_signals.authentication_failed.connect(_failed)
    account_signals.password_changed.connect(_password_changed)


def _added(request: HttpRequest, user: Any, authenticator: Authenticator, **_: Any) -> None:
    member = _member(user)
    if authenticator.type == Authenticator.Type.WEBAUTHN:
        data = authenticator.wrap().authenticator_data
        people.add_passkey(
            by=logins.itself(member),
            merchant_id=member.merchant_id,
            staff_id=member.id,
            credential_id=bytes(data.credential_data.credential_id),
            public_key=cbor.encode(dict(data.credential_data.public_key)),
            rp_id=request.get_host().partition(":")[0],
            sign_count=data.counter,
        )
    else:
        logins.note(member, "factor.added", kind=str(authenticator.type))
    _end_others(request, member)


def _removed(request: HttpRequest, user: Any, authenticator: Authenticator, **_: Any) -> None:
    member = _member(user)
    if authenticator.type == Authenticator.Type.WEBAUTHN:
        people.remove_passkey(
            by=logins.itself(member),
            merchant_id=member.merchant_id,
            staff_id=member.id,
            credential_id=bytes(authenticator.wrap().authenticator_data.credential_data.credential_id),
        )
    else:
        logins.note(member, "factor.removed", kind=str(authenticator.type))
    _end_others(request, member)


def _reset(request: HttpRequest, user: Any, authenticator: Authenticator, **_: Any) -> None:
    logins.note(_member(user), "factor.reset", kind=str(authenticator.type))


def _used(request: HttpRequest, user: Any, authenticator: Authenticator, reauthenticated: bool, **_: Any) -> None:
    if reauthenticated:  # what opens a session is kept with the session's opening
        logins.note(_member(user), "sign_in.proven", ip=guard.peer(request), kind=str(authenticator.type))


def _failed(request: HttpRequest, user: Any, authenticator: Authenticator, **_: Any) -> None:
    logins.note(_member(user), "sign_in.failed", ip=guard.peer(request), method=str(authenticator.type))


def _password_changed(request: HttpRequest, user: Any, **_: Any) -> None:
    member = _member(user)
    logins.note(member, "password.changed", ip=guard.peer(request))
    _end_others(request, member)


def _member(user: Any) -> Staff:
    member = queries.member_of_login(user.pk)
    assert member, "a login is always somebody's"
    return member


def _end_others(request: HttpRequest, member: Staff) -> None:
    end_sessions(member.merchant_id, member.id, keep=request.session.session_key or "")
