"""What the libraries of sign-in ask us: who may come in, by what name, and where a secret is kept."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.base.response import UnauthorizedResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from django.http import HttpRequest

from houfu.people import queries, rules
from houfu.people.actions import login as logins
from houfu.people.sign_in import guard, memory, sealing, sessions


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts begin with an invitation, and whoever is not active looks like somebody who is not there."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Return the user whose password this is, if they may sign in."""
        user = super().authenticate(request, **credentials)
        if user is None:
            return None
        member = queries.member_of_login(user.pk)
        return user if member and member.state == "active" else None

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Keep that somebody tried; a name that is not known is the platform's to know, and takes as long."""
        member = queries.member_called(credentials.get("username", ""))
        logins.note(member, "sign_in.failed", ip=guard.peer(request), method="password")

    def pre_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> Any:
        """Refuse whoever is not active, however they have proven who they are."""
        member = queries.member_of_login(user.pk)
        if member is None or member.state != "active":
            raise ImmediateHttpResponse(UnauthorizedResponse(request))
        return super().pre_login(request, user, **kwargs)

    def login(self, request: HttpRequest, user: Any) -> None:
        """Open a session, with a new token, and keep that it was opened."""
        super().login(request, user)
        member = queries.member_of_login(user.pk)
        assert member
        sessions.begin(request.session, rules.idle(member.role))
        methods = sorted({record.get("type", record["method"]) for record in queries.proofs(request.session)})
        logins.note(member, "sign_in.done", ip=guard.peer(request), methods=methods)
        sessions.forget()
        memory.forget()

    def logout(self, request: HttpRequest) -> None:
        if request.user.is_authenticated and (member := queries.member_of_login(request.user.pk)):
            logins.note(member, "sign_in.ended", ip=guard.peer(request))
        super().logout(request)

    def set_password(self, user: Any, password: str) -> None:
        user.set_password(password)
        user.save(update_fields=["password"])  # of a login nothing else may be changed

    def get_client_ip(self, request: HttpRequest) -> str:
        return guard.peer(request)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count failures by account and address: nobody can lock another out from elsewhere (4.4)."""
        return f"{credentials.get('username', '').lower()}|{guard.peer(request)}"


class SessionAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]
    """Sessions that somebody ends from another one."""

    def end_sessions(self, sessions: Any) -> None:
        for session in sessions:
            logins.note(queries.member_of_login(session.user_id), "session.ended", ip=session.ip)
        super().end_sessions(sessions)


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Factors: secrets are sealed before the database sees them."""

    def encrypt(self, text: str) -> str:
        return sealing.sealed(text, context.request.user.pk)

    def decrypt(self, encrypted_text: str) -> str:
        return sealing.opened(encrypted_text)
