"""Opening the database for a command: the one that runs, or one started for as long as the command takes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def setup_django() -> None:
    """Load the rooms; nothing is connected yet."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "houfu.site.settings")
    import django

    django.setup()


def home() -> Path:
    """Return the data folder."""
    from django.conf import settings

    return Path(settings.HOME)


def as_web() -> None:
    """Come into the database, from the next connection on, as a process that strangers talk to."""
    from houfu.site import settings

    os.environ["HOUFU_AS"] = "web"
    settings.connect()


@contextmanager
def database(*, prepared: bool = True) -> Iterator[None]:
    """Have a database, migrated and checked, while the block runs.

    An embedded server that is up already is used; else one is started and stopped again. It is migrated by itself,
    an external one only by `houfu db migrate`.

    Args:
        prepared: whether to migrate and check; not for the commands that do just that.
    """
    from houfu.kernel import isolation, postgres
    from houfu.people.actor import system
    from houfu.site import settings, upkeep

    server = None
    if not os.environ.get("DATABASE_URL") and postgres.url(home(), "houfu_runtime") is None:
        server = postgres.Server(home())
        server.start()
    try:
        settings.connect()
        isolation.enter(system("command"))
        if prepared:
            upkeep.prepare(kind=None, ours=not os.environ.get("DATABASE_URL"))
        yield
    finally:
        settings.disconnect()
        if server:
            server.stop()
