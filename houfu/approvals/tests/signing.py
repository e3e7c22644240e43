"""Answers of software passkeys, straight or bent in one way."""

import json
from collections.abc import Mapping
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.webauthn import AuthenticatorData

from houfu.approvals.assertions import Assertion
from houfu.testing.passkeys import PRESENT, VERIFIED, SoftwarePasskey, b64, unb64

ORIGIN, RP_ID = "http://localhost:8900", "localhost"


def passkey() -> SoftwarePasskey:
    """Return a new passkey for us."""
    return SoftwarePasskey(ORIGIN, RP_ID)


def answer(key: SoftwarePasskey, challenge: bytes) -> Assertion:
    """Return what a passkey answers to a challenge."""
    said = key.sign_bytes(challenge)
    parts = (unb64(said["response"][name]) for name in ("authenticatorData", "clientDataJSON", "signature"))
    return Assertion(unb64(said["rawId"]), *parts)


def bent(
    key: SoftwarePasskey,
    challenge: bytes,
    *,
    said: Mapping[str, object] | None = None,
    rp_id: str = RP_ID,
    flags: int = PRESENT | VERIFIED,
    count: int = 1,
) -> Assertion:
    """Return a genuine signature over something that a browser at our page would not say.

    Args:
        said: other or further members of the client data, such as `origin`.
    """
    data = bytes(AuthenticatorData.create(sha256(rp_id.encode()).digest(), AuthenticatorData.FLAG(flags), count))
    straight = {"type": "webauthn.get", "challenge": b64(challenge), "origin": ORIGIN, "crossOrigin": False}
    client_data = json.dumps({**straight, **(said or {})}).encode()
    signature = key._key.sign(data + sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
    return Assertion(key.credential_id, data, client_data, signature)
