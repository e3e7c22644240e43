"""A passkey's signature, checked as WebAuthn asks for it: for us, by a verified person, over this challenge. Pure."""

import hmac
import json
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


@dataclass(frozen=True)
class Party:
    """Whom a signature is for: us, as browsers know us.

    Args:
        rp_id: the domain under which the passkeys were made.
        origins: where our pages come from, such as "https://houfu.example".
    """

    rp_id: str
    origins: frozenset[str]


def faults(assertion: Assertion, *, public_key: bytes, challenge: bytes, party: Party, above: int = 0) -> list[Reason]:
    """Return every reason not to believe an assertion; none means that the key's owner signed the challenge.

    Args:
        public_key: the credential's key as COSE has it, in CBOR.
        above: the count that the credential has reached; authenticators that do not count say zero for ever.
    """
    data = _authenticator_data(assertion.authenticator_data)
    said = _client_data(assertion.client_data)
    if data is None or said is None:
        return [Reason("assertion_malformed", RULE, {}, ANEW)]
    checks = [
        (said.get("type") == "webauthn.get", Reason("assertion_of_other_kind", RULE, {}, ANEW)),
        (_same(said.get("challenge"), challenge), Reason("assertion_other_challenge", RULE, {}, ANEW)),
        (
            said.get("origin") in party.origins and not said.get("crossOrigin") and "topOrigin" not in said,
            Reason("assertion_other_origin", RULE, {"origin": str(said.get("origin"))[:200]}, ANEW),
        ),
        (
            hmac.compare_digest(data.rp_id_hash, sha256(party.rp_id.encode()).digest()),
            Reason("assertion_other_party", RULE, {"rp_id": party.rp_id}, ANEW),
        ),
        (
            data.is_user_present() and data.is_user_verified(),
            Reason("assertion_unverified", RULE, {}, "Let the passkey check that it is you: by PIN, finger or face."),
        ),
        (
            data.counter > above or data.counter == above == 0,
            Reason("assertion_counter_back", RULE, {"counter": data.counter, "above": above}, "Report a copied key."),
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
