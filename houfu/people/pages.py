"""Pages for who is not in yet: sign-in, an invitation taken, and the factor that a role asks for."""

from allauth.mfa.adapter import get_adapter
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path

from houfu.console.pages import public
from houfu.console.words import t
from houfu.kernel import isolation
from houfu.kernel.errors import NotFound, Unauthenticated
from houfu.people import queries, rules
from houfu.people.actor import SIGN_IN


@public
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask who it is; passkeys are for `localhost`, which an address in figures is not."""
    host = request.get_host()
    if host.startswith("127.0.0.1"):
        return HttpResponseRedirect(f"http://localhost{host.removeprefix('127.0.0.1')}{request.get_full_path()}")
    return render(request, "people/sign_in.html", {"title": t("登录")})


@public
def invitation(request: HttpRequest) -> HttpResponse:
    """Let somebody who was invited choose a name and a password; the invitation stays in the browser's address."""
    return render(request, "people/invitation.html", {"title": t("接受邀请")})


@public
def factor(request: HttpRequest) -> HttpResponse:
    """Ask for the factor that a role needs, or let it be added."""
    try:
        member = queries.member_of_session(request.session)
    except Unauthenticated:
        return HttpResponseRedirect("/console/sign-in")
    said = {"title": t("验证身份"), "member": member, "passkey_needed": member.role in rules.PASSKEY_ROLES}
    return render(request, "people/factor.html", said)


@public
def picture(request: HttpRequest) -> HttpResponse:
    """Draw the secret that a session is about to add, for an app of codes to scan."""
    queries.member_of_session(request.session)
    secret = request.session.get(SECRET_SESSION_KEY)
    if not secret:
        raise NotFound()
    adapter = get_adapter()
    with isolation.acting(SIGN_IN):  # whose login it is, is read as at the doors of sign-in
        url = adapter.build_totp_url(request.user, secret)
    return HttpResponse(adapter.build_totp_svg(url), content_type="image/svg+xml")


urlpatterns = [
    path("sign-in", sign_in),
    path("invitation", invitation),
    path("factor", factor),
    path("factor/picture", picture),
]
