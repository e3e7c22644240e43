"""Passkeys that a trial instance keeps for its demo's people, so that a person without them can look around as each.

They sit in the data folder, are answered for to this machine alone, and not at all by a live instance.
"""

import fcntl
import ipaddress
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from houfu.console.pages import public, said
from houfu.kernel.errors import NotFound, Refused
from houfu.kernel.http import problem
from houfu.kernel.models import Instance
from houfu.people.sign_in import guard
from houfu.testing.passkeys import SoftwarePasskey, b64, unb64

FILE = "trial_passkeys.json"
RP_ID = "localhost"


@dataclass(frozen=True)
class Account:
    """Somebody of the demo, with a passkey that this machine keeps."""

    username: str
    name: str
    role: str
    merchant: str
    credential_id: str
    private_key: str
    user_handle: str
    counter: int


def accounts() -> list[Account]:
    """Return the demo's people; none where this is no trial, or no demo was played."""
    path = settings.HOME / FILE
    if not path.exists() or Instance.objects.get().kind != "trial":
        return []
    return [Account(**each) for each in json.loads(path.read_text())]


def grouped() -> list[dict[str, Any]]:
    """Return the demo's people by merchant, as the sign-in page lists them."""
    found: dict[str, list[Account]] = {}
    for each in accounts():
        found.setdefault(each.merchant, []).append(each)
    return [{"merchant": merchant, "accounts": people} for merchant, people in found.items()]


def account_of(key: SoftwarePasskey, username: str, name: str, role: str, merchant: str) -> Account:
    """Return somebody of the demo with the passkey by which they have signed in."""
    private = key._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    handle, id = b64(key.user_handle), b64(key.credential_id)
    return Account(username, name, role, merchant, id, private, handle, key.counter)


def keep(account: Account) -> None:
    """Add somebody to the demo's people."""
    kept = [each for each in accounts() if each.username != account.username]
    _write([vars(each) for each in [*kept, account]])


def _write(rows: list[dict[str, Any]]) -> None:
    path = settings.HOME / FILE
    draft = path.with_suffix(".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(rows, ensure_ascii=False))
    draft.replace(path)


@public
def passkey(request: HttpRequest) -> HttpResponse:
    """Answer a challenge with the passkey of one of the demo's people, as their device would."""
    try:
        guard.refuse_cross_site(request)
        if request.method != "POST" or not ipaddress.ip_address(guard.peer(request)).is_loopback:
            raise NotFound()
        asked = said(request)
        return JsonResponse(_answer(str(asked.get("account")), str(asked.get("challenge")), request.headers["Origin"]))
    except Refused as refusal:
        return problem(refusal)


def _answer(username: str, challenge: str, origin: str) -> dict[str, Any]:
    with (settings.HOME / f"{FILE}.lock").open("w") as lock:  # a passkey counts on, whichever process it answers in
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = {each.username: each for each in accounts()}
        if username not in known:
            raise NotFound()
        kept = known[username]
        device = SoftwarePasskey(
            origin=origin, rp_id=RP_ID, counter=kept.counter, credential_id=unb64(kept.credential_id),
            user_handle=unb64(kept.user_handle), _key=load_pem_private_key(kept.private_key.encode(), None),  # type: ignore[arg-type]
        )  # fmt: skip
        answer = device.sign({"challenge": challenge})
        known[username] = Account(**{**vars(kept), "counter": device.counter})
        _write([vars(each) for each in known.values()])
    return answer
