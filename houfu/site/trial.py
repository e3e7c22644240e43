"""The demo's people at the sign-in page: a trial instance answers for their passkeys, as their devices would.

Only to this machine, only to its own pages, and not at all where the instance is live.
"""

import fcntl
import ipaddress
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from houfu.console.pages import public, said
from houfu.kernel.errors import NotFound, Refused
from houfu.kernel.http import problem
from houfu.kernel.models import Instance
from houfu.people.sign_in import guard
from houfu.site import trial_keys
from houfu.site.trial_keys import Account


def accounts() -> list[Account]:
    """Return the demo's people; none where this is no trial."""
    found = trial_keys.read(settings.HOME)
    return found if found and Instance.objects.get().kind == "trial" else []


def grouped() -> list[dict[str, Any]]:
    """Return the demo's people by merchant, as the sign-in page lists them."""
    found: dict[str, list[Account]] = {}
    for each in accounts():
        found.setdefault(each.merchant, []).append(each)
    return [{"merchant": merchant, "accounts": people} for merchant, people in found.items()]


@public
def passkey(request: HttpRequest) -> HttpResponse:
    """Answer a challenge with the passkey of one of the demo's people."""
    try:
        guard.refuse_cross_site(request)
        if request.method != "POST" or not ipaddress.ip_address(guard.peer(request)).is_loopback:
            raise NotFound()
        asked = said(request)
        return JsonResponse(_answer(str(asked.get("account")), str(asked.get("challenge")), request.headers["Origin"]))
    except Refused as refusal:
        return problem(refusal)


def _answer(username: str, challenge: str, origin: str) -> dict[str, Any]:
    with (settings.HOME / f"{trial_keys.FILE}.lock").open(
        "w"
    ) as lock:  # a passkey counts on, whichever process answers
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = {each.username: each for each in accounts()}
        if username not in known:
            raise NotFound()
        device = known[username].passkey(origin)
        answer = device.sign({"challenge": challenge})
        known[username] = replace(known[username], counter=device.counter)
        trial_keys.write(settings.HOME, list(known.values()))
    return answer
