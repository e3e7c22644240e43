"""Answers of passkeys that are bent in one way, and what a refusal leaves."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2.webauthn import AuthenticatorData

from houfu.approvals.assertions import Assertion
from houfu.approvals.models import Request, Signature
from houfu.kernel.errors import Refused
from houfu.testing.company import ORIGIN, RP_ID
from houfu.testing.passkeys import PRESENT, VERIFIED, SoftwarePasskey, b64


def everything(merchant_id: int) -> tuple[list[dict], list[dict]]:
    """Return all rows of a merchant's requests and signatures: on a refusal they are as they were."""
    return tuple(
        list(model.objects.filter(merchant_id=merchant_id).order_by("id").values()) for model in (Request, Signature)
    )


def refused(kind: type[Refused], do: Callable[[], object]) -> list[str]:
    """Do something that must be refused, and return the reasons' codes."""
    with pytest.raises(kind) as refusal:
        do()
    return [reason.code for reason in refusal.value.reasons]


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
