"""Doing things at the same time, each in a thread with a database connection of its own."""

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import connections

from houfu.kernel import isolation

T = TypeVar("T")
R = TypeVar("R")


def in_threads(do: Callable[[T], R], things: Iterable[T]) -> list[R | Exception]:
    """Do something for every thing at once; all threads start together. Exceptions are returned, not raised."""
    todo = list(things)
    outcomes: list[R | Exception] = [RuntimeError("did not run")] * len(todo)
    gate = threading.Barrier(len(todo))
    by = isolation.in_force()

    def run(place: int, thing: T) -> None:
        gate.wait()
        isolation.enter(by)
        try:
            outcomes[place] = do(thing)
        except Exception as error:
            outcomes[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(todo)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
