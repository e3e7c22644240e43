"""Sign-in's addresses, for browsers (a cookie) and apps (`X-Session-Token`): those of the library that we want, alone.

No sign-up, no e-mail, no reset by mail: accounts begin with an invitation and are recovered by two persons.
"""

from allauth.headless.account import views as accounts
from allauth.headless.base import views as base
from allauth.headless.constants import Client
from allauth.headless.mfa import views as factors
from allauth.headless.usersessions import views as user_sessions
from django.urls import URLPattern, include, path

from houfu.people.sign_in import hooks, views

VIEWS = {
    "config": (base.ConfigView, False),
    "auth/session": (accounts.SessionView, False),
    "auth/login": (accounts.LoginView, False),
    "auth/reauthenticate": (accounts.ReauthenticateView, False),
    "auth/2fa/authenticate": (factors.AuthenticateView, False),
    "auth/2fa/reauthenticate": (factors.ReauthenticateView, False),
    "auth/webauthn/login": (views.Login, False),
    "auth/webauthn/authenticate": (views.Authenticate, False),
    "auth/webauthn/reauthenticate": (views.Reauthenticate, False),
    "auth/sessions": (user_sessions.SessionsView, False),
    "account/password/change": (accounts.ChangePasswordView, True),
    "account/authenticators": (factors.AuthenticatorsView, False),
    "account/authenticators/totp": (views.Totp, True),
    "account/authenticators/recovery-codes": (views.RecoveryCodes, True),
    "account/authenticators/webauthn": (views.Passkeys, True),
}


hooks.connect()  # whoever serves these addresses keeps what happens at them


def _patterns(client: Client) -> list[URLPattern]:
    found = []
    for where, (view, changes) in VIEWS.items():
        shown = view.as_api_view(client=client)
        found.append(path(where, views.guarded(shown) if changes else shown))
    return found


urlpatterns = [
    path("accept", views.accept),
    *[path(f"{client.value}/v1/", include(_patterns(client))) for client in Client],
]
