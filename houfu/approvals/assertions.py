"""A passkey's signature, checked as WebAuthn asks for it: for us, by a verified person, over this challenge. Pure."""

import hmac
import json
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, cast

from fido2 import cbor
from fido2.cose import CoseKey
from fido2.webauthn import AuthenticatorData

from houfu.kernel.errors import Reason

RULE = "S7"
ANEW = "Sign anew what the screen shows, with your own passkey."


@dataclass(frozen=True)
class Assertion:
    """What an authenticator answers to a challenge."""

    credential_id: bytes
    authenticator_data: bytes
    client_data: bytes
    signature: bytes


def faults(assertion: Assertion, *, public_key: bytes, rp_id: str, challenge: bytes) -> list[Reason]:
    """Return every reason not to believe an assertion; none means that the key's owner signed the challenge.

    Whether the authenticator has counted on is for who keeps the counts.

    Args:
        public_key: the credential's key as COSE has it, in CBOR.
        rp_id: our name for which the credential was made; the page that asked must be there, and nowhere else.
    """
    data = _authenticator_data(assertion.authenticator_data)
    said = _client_data(assertion.client_data)
    if data is None or said is None:
        return [Reason("assertion_malformed", RULE, {}, ANEW)]
    checks = [
        (said.get("type") == "webauthn.get", Reason("assertion_of_other_kind", RULE, {}, ANEW)),
        (_same(said.get("challenge"), challenge), Reason("assertion_other_challenge", RULE, {}, ANEW)),
        (
            _ours(said.get("origin"), rp_id) and not said.get("crossOrigin") and "topOrigin" not in said,
            Reason("assertion_other_origin", RULE, {"origin": str(said.get("origin"))[:200]}, ANEW),
        ),
        (
            hmac.compare_digest(data.rp_id_hash, sha256(rp_id.encode()).digest()),
            Reason("assertion_other_party", RULE, {"rp_id": rp_id}, ANEW),
        ),
        (
            data.is_user_present() and data.is_user_verified(),
            Reason("assertion_unverified", RULE, {}, "Let the passkey check that it is you: by PIN, finger or face."),
        ),
        (_signed(assertion, public_key), Reason("assertion_signature_wrong", RULE, {}, ANEW)),
    ]
    return [reason for holds, reason in checks if not holds]


def count(assertion: Assertion) -> int:
    """Return how many signatures the authenticator says it has made, of an assertion without faults."""
    return int(AuthenticatorData(assertion.authenticator_data).counter)


def _signed(assertion: Assertion, public_key: bytes) -> bool:
    """Say whether the key signed these very bytes."""
    try:
        key = CoseKey.parse(cast(dict[int, Any], cbor.decode(public_key)))
        key.verify(assertion.authenticator_data + sha256(assertion.client_data).digest(), assertion.signature)
    except Exception:  # InvalidSignature, or whatever else keeps a key from verifying
        return False
    return True


def _ours(origin: object, rp_id: str) -> bool:
    """Say whether a page is at our very name, over TLS; on this machine it need not be."""
    scheme = "https?" if rp_id == "localhost" else "https"
    return isinstance(origin, str) and bool(re.fullmatch(rf"{scheme}://{re.escape(rp_id)}(:[0-9]{{1,5}})?", origin))


def _same(said: object, challenge: bytes) -> bool:
    wanted = urlsafe_b64encode(challenge).rstrip(b"=")
    return isinstance(said, str) and hmac.compare_digest(said.encode(errors="replace"), wanted)


def _authenticator_data(raw: bytes) -> AuthenticatorData | None:
    try:
        return AuthenticatorData(raw)
    except Exception:  # whatever foreign bytes do to a parser, they are no authenticator data
        return None


def _client_data(raw: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(raw.decode())
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None
