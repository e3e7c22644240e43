"""Upkeep: what every start does after the migrations, so that database, files and rules agree."""

import json
from uuid import uuid4

from django.conf import settings
from django.db import connections

from houfu.kernel import clock, db
from houfu.kernel.models import Instance

MACHINES: dict[str, set[tuple[str, str]]] = {}


def settle_in(*, kind: str) -> None:
    """Bring a migrated database to what this version ships: moves of states, packs, calendar, its own identity.

    Args:
        kind: "live" or "trial"; decides once, at the first start, whether the clock may ever be moved.
    """
    _write_moves()
    _write_identity(kind)


def _write_moves() -> None:
    with connections["owner"].cursor() as cursor:
        for machine, moves in MACHINES.items():
            cursor.execute("DELETE FROM kernel_move WHERE machine = %s", [machine])
            cursor.executemany("INSERT INTO kernel_move VALUES (%s, %s, %s)", [(machine, *m) for m in sorted(moves)])


@db.action
def _write_identity(kind: str) -> None:
    if not Instance.objects.exists():
        instance = Instance(only_one=True, id=uuid4(), kind=kind, created_at=clock.now())
        instance.save(force_insert=True)
        settings.HOME.mkdir(parents=True, exist_ok=True)
        (settings.HOME / "instance.json").write_text(json.dumps({"id": str(instance.id)}))
