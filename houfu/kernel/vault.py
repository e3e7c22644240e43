"""The vault's keys, in the data folder and outside the database, and the keyed digests by which sealed data is found.

They wrap the data keys by which merchants' data is sealed (`data_keys`).
"""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from houfu.kernel.errors import Refused


class VaultClosed(Refused):
    """This data cannot be read with the key that is here."""

    code = "vault_closed"
    status = 503


def wrapping(ring: str, number: int) -> bytes:
    """Return the key that wraps the data keys of a ring; the first is made at its first use.

    Raises:
        VaultClosed: its file is not here.
    """
    path = _path(ring, number)
    if number > 1 and not path.exists():
        raise VaultClosed(key=path.name)
    return hashlib.sha256(kept_key(path) + b"wrap").digest()


def newest(ring: str) -> int:
    """Return the number of the newest key of a ring."""
    number = 1
    while _path(ring, number + 1).exists():
        number += 1
    return number


def renew(ring: str) -> int:
    """Make another key of a ring, the newest from now on, and return its number; the older ones stay."""
    number = newest(ring) + 1
    kept_key(_path(ring, number))
    return number


def _path(ring: str, number: int) -> Path:
    return settings.HOME / "keys" / (f"{ring}.key" if number == 1 else f"{ring}-{number}.key")


def fingerprint(text: str, purpose: str) -> bytes:
    """Return a keyed digest by which equal texts are found without being read."""
    return fingerprints([text], purpose)[0]


def fingerprints(texts: Iterable[str], purpose: str) -> list[bytes]:
    """Return the keyed digest of each text; the key is made once for all."""
    key, begin = _key("find"), f"{purpose}\n".encode()
    return [hmac.digest(key, begin + text.encode(), "sha256") for text in texts]


def web_secret() -> str:
    """Return the secret by which the web process signs what it hands out."""
    return _key("web").hex()


def _key(use: str) -> bytes:
    return hashlib.sha256(kept_key(_path("vault", 1)) + use.encode()).digest()


@lru_cache(maxsize=32)
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
