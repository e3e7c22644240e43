"""Migrations that only run files: each room keeps its tables and functions as SQL under its own name."""

from pathlib import Path

from django.db import migrations

ROOMS = Path(__file__).resolve().parent.parent


def run(room: str, *files: str) -> list[migrations.RunSQL]:
    """Return operations that run files of a room's `sql/` folder in order, giving up on a lock after 4 seconds."""
    patience = migrations.RunSQL("SET LOCAL lock_timeout = '4s'")
    return [patience, *(migrations.RunSQL((ROOMS / room / "sql" / name).read_text()) for name in files)]
