"""Threads for what waits for the database, so that the event loop does not."""

import threading
from concurrent.futures import ThreadPoolExecutor

from django.db import connections


class Threads(ThreadPoolExecutor):
    """A few threads, each with a database connection of its own."""

    def __init__(self, count: int, name: str) -> None:
        super().__init__(count, name)
        self._all_here = threading.Barrier(count)

    def close(self) -> None:
        """Let each finish what it has, close its connection, and end."""
        for _ in range(self._all_here.parties):
            self.submit(self._leave)
        self.shutdown(wait=True)

    def _leave(self) -> None:
        self._all_here.wait()  # so that no thread leaves twice, and another never
        connections.close_all()
