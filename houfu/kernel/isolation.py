"""Merchants kept apart: who is in force in this thread, and the word about it that the database believes.

The database lets a transaction touch one merchant's rows, the platform's own, or all merchants' for the product's jobs.
It goes by `houfu.ctx`, sealed with a key that the role of the processes cannot read there: whoever gets the database to
run a statement of theirs cannot choose another merchant.
"""

import hmac
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from django.conf import settings
from django.db import DatabaseError, connection

from houfu.kernel import vault
from houfu.kernel.errors import Refused

LIFE = 30  # seconds after which a word that no transaction has begun with is void
_BLOCK = 64  # bytes, of SHA-256
_thread = threading.local()


class ContextKeyDiffers(Refused):
    """This data folder's keys/context.key is not the one that the database knows.

    Bring back the file that belongs to this database, or let `houfu db migrate` give the database this one.
    """

    code = "context_key_differs"


class InForce(Protocol):
    """Whoever acts; people.Actor is one.

    `merchant_id` is whom they belong to, None for the platform; `reach` is what rows they may touch now, as the word
    has it: "7" for a merchant's, "7@12" for the same while access grant 12 holds, "0" for the platform's, "*" for all.
    """

    @property
    def label(self) -> str: ...
    @property
    def merchant_id(self) -> int | None: ...
    @property
    def reach(self) -> str: ...


@dataclass(frozen=True)
class Party:
    """Whoever acts before it is known who: a key that is looked up, a command, a job."""

    label: str
    merchant_id: int | None

    @property
    def reach(self) -> str:
        return "*" if self.merchant_id is None else str(int(self.merchant_id))


def in_force() -> InForce | None:
    """Return on whose behalf this thread works now."""
    found: InForce | None = getattr(_thread, "by", None)
    return found


def enter(by: InForce | None) -> None:
    """Let somebody be in force in this thread from now on, as for a request that has shown its key."""
    _thread.by = by


@contextmanager
def acting(by: InForce | None) -> Iterator[None]:
    """Let somebody be in force in this thread while the block runs; None for nobody."""
    before = in_force()
    _thread.by = by
    try:
        yield
    finally:
        _thread.by = before


def word(by: InForce, pid: int, now: float) -> str:
    """Return the word for whoever is in force: merchant|principal|expiry|HMAC.

    Args:
        pid: process id of the database session that it is for; it opens no other.
        now: seconds since the epoch, by the database's clock.
    """
    return _sealed(_key(), by.reach, by.label, int(now) + LIFE, pid)


@lru_cache(maxsize=256)
def _sealed(key: bytes, reach: str, label: str, expiry: int, pid: int) -> str:
    """Seal a word; within a second, a busy session says the same one again and again."""
    said = f"{reach}|{quote(label)}|{expiry}"
    return f"{said}|{hmac.digest(key, f'{said}|{pid}'.encode(), 'sha256').hex()}"


@lru_cache(maxsize=1)
def _key() -> bytes:
    """Read the key once: it stays that of the database that this process works on, wherever the folder goes."""
    return vault.kept_key(settings.HOME / "keys" / "context.key")


def apply(cursor: Any, engine_functions: Sequence[str], shared_tables: Sequence[str]) -> None:
    """Keep merchants apart in all that the migrations have made, and give the database the key.

    Args:
        cursor: the owner's, in a transaction.
        engine_functions: those that may run with more rights than their caller.
        shared_tables: those without a merchant that are written on every merchant's behalf.
    """
    key = _key().ljust(_BLOCK, b"\0")
    cursor.execute(
        "SELECT set_config('houfu.engine_functions', %s, true), set_config('houfu.shared_tables', %s, true)",
        [",".join(engine_functions), ",".join(shared_tables)],
    )
    cursor.execute((Path(__file__).parent / "sql" / "isolate.sql").read_text())
    cursor.execute(
        "INSERT INTO kernel_context_key (inner_pad, outer_pad) VALUES (%s, %s)"
        " ON CONFLICT (only_one) DO UPDATE SET inner_pad = excluded.inner_pad, outer_pad = excluded.outer_pad",
        [bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)],
    )


def check() -> None:
    """Refuse unless the database believes our word.

    Raises:
        ContextKeyDiffers: it knows another key, or none.
    """
    try:
        with acting(Party("check", None)), connection.cursor() as cursor:
            cursor.execute("SELECT kernel_merchant_v1()")
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", None) != "HF003":
            raise
        raise ContextKeyDiffers() from error
