"""How the simulated channel and its clients sign: Ed25519 over the parts of a message, each on its own line.

A request is signed over method, path with query, timestamp, principal and the digest of its body. An answer is signed
over principal, the signature of its request, timestamp, status and the digest of its body, so that it cannot be
taken for the answer to another. A notice is signed over its id, timestamp, principal and the digest of its body.
"""

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

PRINCIPAL, TIMESTAMP, SIGNATURE, NOTICE_ID = "x-principal", "x-timestamp", "x-signature", "x-notice-id"


def make_keys(private: Path, public: Path) -> None:
    """Make a pair of keys, unless it is there: the private half for its owner alone, the public half as base64."""
    if private.exists():
        return
    for path in (private, public):
        path.parent.mkdir(parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    private.touch(mode=0o600)
    private.write_bytes(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    public.write_text(base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode())


def private_key(path: Path) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


def public_key(path: Path) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(path.read_text()))


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def request_text(method: str, path: str, timestamp: str, principal: str, body: bytes) -> str:
    return "\n".join([method, path, timestamp, principal, hashlib.sha256(body).hexdigest()])


def answer_text(principal: str, request_signature: str, timestamp: str, status: int, body: bytes) -> str:
    return "\n".join([principal, request_signature, timestamp, str(status), hashlib.sha256(body).hexdigest()])


def notice_text(notice_id: str, timestamp: str, principal: str, body: bytes) -> str:
    return "\n".join(["NOTICE", notice_id, timestamp, principal, hashlib.sha256(body).hexdigest()])


def sign(key: Ed25519PrivateKey, text: str) -> str:
    return base64.b64encode(key.sign(text.encode())).decode()


def holds(key: Ed25519PublicKey, text: str, signature: str) -> bool:
    """Say whether a signature is the key's over the text."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
