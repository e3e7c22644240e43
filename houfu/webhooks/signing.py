"""Signatures of Standard Webhooks: HMAC-SHA256 by a shared secret (v1), and Ed25519 by a key pair (v1a)."""

import base64
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


@dataclass(frozen=True)
class Signer:
    """A shared secret and a private key, both in clear; a message carries the signatures of both."""

    secret: bytes
    private: bytes

    @property
    def secret_text(self) -> str:
        """The secret as receivers write it."""
        return f"whsec_{_text(self.secret)}"

    @property
    def public_text(self) -> str:
        """The public key as receivers write it."""
        public = Ed25519PrivateKey.from_private_bytes(self.private).public_key()
        return f"whpk_{_text(public.public_bytes(Encoding.Raw, PublicFormat.Raw))}"


def new_signer() -> Signer:
    """Make a secret and a pair of keys of 256 bits."""
    private = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return Signer(secrets.token_bytes(32), private)


def headers(signers: Sequence[Signer], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that carry a message's id, its time and every active signature.

    Args:
        timestamp: seconds since 1970; of this attempt, not of the event.
    """
    text = f"{message_id}.{timestamp}.".encode() + body
    signatures = []
    for signer in signers:
        signatures.append(f"v1a,{_text(Ed25519PrivateKey.from_private_bytes(signer.private).sign(text))}")
        signatures.append(f"v1,{_text(hmac.digest(signer.secret, text, 'sha256'))}")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
