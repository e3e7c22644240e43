"""The doors of sign-in that differ from the library's: factors guard factors, and passkeys count."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, ClassVar

from allauth.core import context
from allauth.headless.mfa import inputs as factor_inputs
from allauth.headless.mfa import views
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from fido2.utils import websafe_decode
from fido2.webauthn import AuthenticatorData
from pydantic import Field

from houfu.kernel import db
from houfu.kernel.errors import Forbidden, Invalid, Refused
from houfu.kernel.http import In, problem, strict_json
from houfu.people import queries, rules
from houfu.people.actions import login as logins
from houfu.people.sign_in import guard

View = Callable[..., HttpResponseBase]


class FactorFirst(Forbidden):
    """Whoever has a factor changes their factors only after having used it in this session."""

    code = "factor_first"


class LastPasskey(Refused):
    """Your role needs a passkey; add another one before you remove the last."""

    code = "last_passkey"


def guarded(view: View) -> View:
    """Let factors be changed only by who has used the one they have, in one transaction with what is kept of it."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in ("GET", "HEAD"):
            return view(request, *args, **kwargs)

        @db.action
        def run() -> HttpResponseBase:
            return view(request, *args, **kwargs)

        try:
            return run()
        except Refused as refusal:
            return problem(refusal)

    return checked


def require_own_factor(request: HttpRequest) -> None:
    """Refuse a session that has not used the user's own factor, where there is one.

    Raises:
        FactorFirst: a password or a recovery code alone must not take a passkey's place.
    """
    if not request.user.is_authenticated:
        return
    kinds = set(Authenticator.objects.filter(user_id=request.user.pk).values_list("type", flat=True))
    used = {record.get("type") for record in queries.proofs(request.session)}
    if "webauthn" in kinds:
        allowed = "webauthn" in used
    else:
        allowed = "totp" not in kinds or bool(used & {"totp", "recovery_codes"})
    if not allowed:
        raise FactorFirst()


class _Guarded:
    """A view of factors that asks for the user's own factor first."""

    def handle(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            require_own_factor(request)
        except FactorFirst as refusal:
            return problem(refusal)
        return super().handle(request, *args, **kwargs)  # type: ignore[misc, no-any-return]


class _Counted:
    """An assertion whose passkey counts on: one that counts back may be a copy (WebAuthn 7.2, step 22)."""

    def clean_credential(self) -> Any:
        said = dict(self.cleaned_data["credential"])  # type: ignore[attr-defined]
        try:
            authenticator = super().clean_credential()  # type: ignore[misc]
        except ValidationError:
            if self.user is not None and (member := queries.member_of_login(self.user.pk)):  # type: ignore[attr-defined]
                logins.note(member, "sign_in.failed", ip=guard.peer(context.request), method="webauthn")
            raise
        counter = AuthenticatorData(websafe_decode(said["response"]["authenticatorData"])).counter
        if not logins.count_passkey(websafe_decode(said["rawId"] if "rawId" in said else said["id"]), counter):
            raise get_adapter().validation_error("incorrect_code")
        return authenticator


class LoginInput(_Counted, factor_inputs.LoginWebAuthnInput):  # type: ignore[misc]
    pass


class AuthenticateInput(_Counted, factor_inputs.AuthenticateWebAuthnInput):  # type: ignore[misc]
    pass


class ReauthenticateInput(_Counted, factor_inputs.ReauthenticateWebAuthnInput):  # type: ignore[misc]
    pass


class Login(views.LoginWebAuthnView):  # type: ignore[misc]
    input_class: ClassVar = {"POST": LoginInput}


class Authenticate(views.AuthenticateWebAuthnView):  # type: ignore[misc]
    input_class: ClassVar = {"POST": AuthenticateInput}


class Reauthenticate(views.ReauthenticateWebAuthnView):  # type: ignore[misc]
    input_class: ClassVar = {"POST": ReauthenticateInput}


class Passkeys(_Guarded, views.ManageWebAuthnView):  # type: ignore[misc]
    def delete(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Remove passkeys, but not the last of somebody whose role needs one: a password would then be enough."""
        kept = Authenticator.objects.filter(user_id=request.user.pk, type=Authenticator.Type.WEBAUTHN)
        left = kept.exclude(pk__in=[each.pk for each in self.input.cleaned_data["authenticators"]])
        member = queries.member_of_login(request.user.pk or 0)
        if member and member.role in rules.PASSKEY_ROLES and not left.exists():
            raise LastPasskey()
        return super().delete(request, *args, **kwargs)  # type: ignore[no-any-return]


class Totp(_Guarded, views.ManageTOTPView):  # type: ignore[misc]
    pass


class RecoveryCodes(_Guarded, views.ManageRecoveryCodesView):  # type: ignore[misc]
    pass


class Accepted(In):
    """What an invited person says: the invitation, the name to sign in by, and a password."""

    invitation: str
    username: str = Field(default="", max_length=150)
    password: str = Field(max_length=4096)


def accept(request: HttpRequest) -> HttpResponse:
    """Turn an invitation into a login (POST, JSON): what is needed to sign in, and nothing more."""
    if request.method != "POST":
        return HttpResponse(status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
    try:
        said = Accepted.model_validate(strict_json(request.body))
        logins.accept(invitation=said.invitation, username=said.username, password=said.password)
    except Refused as refusal:
        return problem(refusal)
    except ValueError:  # its own words would repeat what was sent
        return problem(Invalid(said="a JSON object with invitation, username and password"))
    return JsonResponse({}, status=HTTPStatus.CREATED)
