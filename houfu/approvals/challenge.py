"""What is signed: a hash over exactly what the screen shows, written in the one way that RFC 8785 has. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from houfu.kernel.errors import Invalid

DOMAIN = b"houfu-approve-v1"
_EXACT = 2**53 - 1  # beyond it a browser's number is another number


class PayloadInvalid(Invalid):
    """What is to be signed consists of texts and integers, in lists and objects, and of nothing else."""

    code = "approval_payload_invalid"


def canonical(said: Any) -> str:
    """Write a value as RFC 8785 does, as far as texts, integers, lists and objects go.

    Raises:
        PayloadInvalid: there is something else in it, an integer beyond 2⁵³ or half a character.
    """
    if isinstance(said, str):
        return _text(said)
    if isinstance(said, int) and not isinstance(said, bool) and abs(said) <= _EXACT:
        return str(said)
    if isinstance(said, list | tuple):
        return f"[{','.join(canonical(part) for part in said)}]"
    if isinstance(said, Mapping) and all(isinstance(name, str) for name in said):
        names = sorted(said, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return f"{{{','.join(f'{_text(name)}:{canonical(said[name])}' for name in names)}}}"
    raise PayloadInvalid(said=repr(said)[:100])


def shown(
    *, merchant_id: int, subject: str, version: int, payload: Mapping[str, Any], expires_at: datetime
) -> dict[str, Any]:
    """Return what the screen shows and the passkey signs."""
    expiry = expires_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "subject": subject,
        "version": version,
        "payload": dict(payload),
        "merchant": merchant_id,
        "expiry": expiry,
    }


def challenge(what: Mapping[str, Any]) -> bytes:
    """Return the 32 bytes that stand for what is shown."""
    return sha256(DOMAIN + canonical(what).encode()).digest()


def _text(said: str) -> str:
    try:
        said.encode()
    except UnicodeEncodeError as error:
        raise PayloadInvalid(said=repr(said)[:100]) from error
    return json.dumps(said, ensure_ascii=False)
