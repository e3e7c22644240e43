"""Django's PostgreSQL, with one thing added: every transaction begins by naming its merchant.

The word goes with BEGIN in one message, so it costs no way to the server, and ends with the transaction, so nothing of
it is left on a connection that the next merchant uses. A statement outside a transaction gets one of its own.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus

from houfu.kernel import isolation


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection on which nothing is read or written on nobody's behalf."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(self._alone)

    def init_connection_state(self) -> None:
        """Learn how the database's clock stands to ours: a word's expiry is told by the former."""
        super().init_connection_state()
        now = self.connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()[0]
        self._ahead = now - time.monotonic()

    def _set_autocommit(self, autocommit: bool) -> None:
        """Begin a transaction; psycopg itself stays in autocommit and leaves that to us."""
        if autocommit:
            super()._set_autocommit(True)  # type: ignore[misc]  # unknown to the stubs
        else:
            self._begin()

    def word(self) -> str:
        """Return the word about whoever is in force, for a transaction that begins now; empty for nobody."""
        by = isolation.in_force()
        if by is None:
            return ""
        return isolation.word(by, self.connection.info.backend_pid, time.monotonic() + self._ahead)

    def _begin(self) -> None:
        said = self.word()
        begin = f"BEGIN; SET LOCAL houfu.ctx = '{said}'" if said else "BEGIN"
        with self.wrap_database_errors:
            self.connection.execute(begin, prepare=False)

    @contextmanager
    def own_transaction(self) -> Iterator[None]:
        """Give what runs in the block a transaction of its own, if there is none and somebody is in force."""
        if (
            isolation.in_force() is None
            or self.in_atomic_block
            or self.connection.info.transaction_status is not TransactionStatus.IDLE
        ):
            yield
            return
        self._begin()
        try:
            yield
        except BaseException:
            if not self.connection.closed:
                self.connection.rollback()
            raise
        with self.wrap_database_errors:
            self.connection.commit()

    def _alone(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        with self.own_transaction():
            return execute(sql, params, many, context)
