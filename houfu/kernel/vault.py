"""The vault: personal and bank data, encrypted before the database sees it, found again by a keyed digest.

The key lies outside the database, in the data folder. A ciphertext is bound to its place: moved to another row it
cannot be read.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from houfu.kernel.errors import Refused


class VaultClosed(Refused):
    """This data cannot be read with the key that is here."""

    code = "vault_closed"
    status = 503


def seal(text: str, place: str, *, ring: str = "vault") -> bytes:
    """Encrypt text for a place, such as "payouts_beneficiary/7/account/3".

    Args:
        ring: which key of the data folder does it; a process that is given one ring's key opens nothing else.
    """
    nonce = os.urandom(12)
    return nonce + AESGCM(_key("seal", ring)).encrypt(nonce, text.encode(), place.encode())


def unseal(sealed: bytes, place: str, *, ring: str = "vault") -> str:
    """Decrypt what was sealed for this place.

    Raises:
        VaultClosed: another key, another place, or altered bytes.
    """
    try:
        return AESGCM(_key("seal", ring)).decrypt(sealed[:12], sealed[12:], place.encode()).decode()
    except (InvalidTag, ValueError) as error:  # the latter for what is too short to have a tag
        raise VaultClosed(place=place) from error


def fingerprint(text: str, purpose: str) -> bytes:
    """Return a keyed digest by which equal texts are found without being read."""
    return hmac.digest(_key("find"), f"{purpose}\n{text}".encode(), "sha256")


def web_secret() -> str:
    """Return the secret by which the web process signs what it hands out."""
    return _key("web").hex()


def _key(use: str, ring: str = "vault") -> bytes:
    return hashlib.sha256(kept_key(settings.HOME / "keys" / f"{ring}.key") + use.encode()).digest()


@lru_cache(maxsize=8)
def kept_key(path: Path) -> bytes:
    """Read a key, making it at the first use; whoever comes second reads what the first has written."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.stem}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
            file.write(secrets.token_bytes(32))
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_bytes()
