"""Signatures of requests by keys (RFC 9421, Ed25519): whoever has a key's token alone moves no money by it (4.11)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.http import HttpRequest
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    InvalidSignature,
    MappingKeyResolver,
    algorithms,
)

from houfu.kernel import clock, db, isolation
from houfu.kernel.errors import Unauthenticated
from houfu.people.actor import Actor
from houfu.people.models import ApiKey

WINDOW = timedelta(minutes=5)
COVERED = ("@method", "@path", "@query")
_SHORTEST, _LONGEST = 16, 64  # characters of a nonce


class SignatureWrong(Unauthenticated):
    """This request's signature does not verify, is too old, or leaves out what it must cover."""

    code = "signature_wrong"


@db.refuse_on("people_nonce_once")
class SignatureReplayed(Unauthenticated):
    """A request with this nonce came before; sign each one anew."""

    code = "signature_replayed"


class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Ask for a time within the window, on either side, by the machine's clock."""
        created = sig_input.params.get("created")
        if type(created) is not int or not 0 < created < 2**40:
            raise InvalidSignature("created is missing")
        if abs(clock.machine_now() - datetime.fromtimestamp(created, UTC)) > WINDOW:
            raise InvalidSignature(f"created is not within {WINDOW.seconds} seconds of now")


def checked(by: Actor, request: HttpRequest, merchant_id: int) -> Actor:
    """Return a key's actor as signed where its request carries a signature that holds; without one, as it was.

    Args:
        merchant_id: the key's, 0 for the platform's.

    Raises:
        SignatureWrong, SignatureReplayed: there is one that does not hold.
    """
    if "Signature" not in request.headers and "Signature-Input" not in request.headers:
        return by
    key_id = int(by.label.removeprefix("key/"))
    with isolation.acting(isolation.Party(by.label, merchant_id)):
        public_key = ApiKey.objects.get(merchant_id=merchant_id, id=key_id).public_key
        if public_key is None:
            raise SignatureWrong(said="this key has no public key")
        nonce = _nonce(request, by.label, bytes(public_key))
        _use(merchant_id, key_id, nonce)
    return replace(by, unsigned=False)


def _nonce(request: HttpRequest, name: str, public_key: bytes) -> str:
    """Return the nonce of a signature that holds and covers the whole request."""
    wanted = [*COVERED, *(["idempotency-key"] if "Idempotency-Key" in request.headers else [])]
    message = SimpleNamespace(
        method=request.method,
        url=f"{request.scheme}://{request.get_host()}{request.get_full_path()}",
        headers=request.headers,
    )
    keys = MappingKeyResolver(public_keys={name: Ed25519PublicKey.from_public_bytes(public_key)}, private_keys={})
    verifier = _Verifier(signature_algorithm=algorithms.ED25519, key_resolver=keys)
    try:
        (found,) = verifier.verify(message, require_components=wanted, body=request.body)
    except (HTTPMessageSignaturesException, ValueError) as error:
        raise SignatureWrong(said=str(error), covers=[*wanted, "content-digest"]) from error
    nonce = found.nonce or ""
    if not _SHORTEST <= len(nonce) <= _LONGEST:
        raise SignatureWrong(said=f"a nonce has {_SHORTEST} to {_LONGEST} characters")
    return nonce


@db.action
def _use(merchant_id: int, key_id: int, nonce: str) -> None:
    """Use a nonce up; it stays used whatever becomes of the request."""
    db.rows("INSERT INTO people_nonce VALUES (%s, %s, %s, %s)", [merchant_id, key_id, nonce, clock.machine_now()])


def forget() -> int:
    """Remove the nonces of requests that are too old to come again, and return how many."""
    gone = clock.machine_now() - 2 * WINDOW
    return len(db.rows("DELETE FROM people_nonce WHERE seen_at < %s RETURNING key_id", [gone]))
