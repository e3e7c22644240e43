"""What sign-in remembers for a while, in the database: every web process counts and forgets alike."""

import json
from datetime import timedelta
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from houfu.kernel import clock, db, vault

_ADD = """
    INSERT INTO people_memory AS m VALUES (%s, %s, %s)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at WHERE m.expires_at <= %s
    RETURNING key
"""
_SET = """
    INSERT INTO people_memory VALUES (%s, %s, %s)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""


class DatabaseMemory(BaseCache):
    """A cache as Django has them, of plain values; `add` is one statement, so that of two who come at once one wins."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def make_key(self, key: str, version: int | None = None) -> str:
        """Return a digest: the table says of nobody what is remembered of them."""
        return vault.fingerprint(super().make_key(key, version), "memory").hex()

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        now = clock.machine_now()
        return bool(db.rows(_ADD, [self.make_key(key, version), json.dumps(value), now + self._life(timeout), now]))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        found = db.rows(
            "SELECT value FROM people_memory WHERE key = %s AND expires_at > %s",
            [self.make_key(key, version), clock.machine_now()],
        )
        return json.loads(found[0].value) if found else default

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        expires_at = clock.machine_now() + self._life(timeout)
        db.rows(_SET, [self.make_key(key, version), json.dumps(value), expires_at])

    def delete(self, key: str, version: int | None = None) -> bool:
        found = db.rows("DELETE FROM people_memory WHERE key = %s RETURNING key", [self.make_key(key, version)])
        return bool(found)

    def _life(self, timeout: Any) -> timedelta:
        seconds = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        return timedelta(seconds=3600 if seconds is None else seconds)


def forget() -> int:
    """Remove what has expired, and return how much it was."""
    return len(db.rows("DELETE FROM people_memory WHERE expires_at <= %s RETURNING key", [clock.machine_now()]))
