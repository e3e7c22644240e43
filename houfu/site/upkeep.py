"""Upkeep: what every start does, so that database, files and rules agree."""

import json
import tomllib
from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models.signals import post_migrate

from houfu.approvals.states import APPROVAL
from houfu.calendars import actions as calendars
from houfu.jobs.states import JOB
from houfu.kernel import clock, db, fence, isolation, postgres, states
from houfu.kernel.data_keys import DATA_KEY
from houfu.kernel.errors import Refused
from houfu.kernel.models import Instance
from houfu.limits.states import MACHINES as LIMITS
from houfu.merchants.states import STORE
from houfu.orders.states import PAIRS
from houfu.payouts.states import BENEFICIARY, PAYOUT
from houfu.people.actor import system
from houfu.people.states import ACCESS, STAFF
from houfu.policies import actions as policies
from houfu.risk import actions as risk
from houfu.risk.states import MACHINES as RISK
from houfu.splits.states import MACHINES as SPLITS
from houfu.webhooks.states import DELIVERY, ENDPOINT

MACHINES = {
    "staff": states.pairs(STAFF),
    "access": states.pairs(ACCESS),
    "data_key": states.pairs(DATA_KEY),
    "store": states.pairs(STORE),
    **{machine: states.pairs(moves) for machine, moves in LIMITS.items()},
    "order": PAIRS,
    "payout": states.pairs(PAYOUT),
    "beneficiary": states.pairs(BENEFICIARY),
    "approval": states.pairs(APPROVAL),
    "job": states.pairs(JOB),
    **{machine: states.pairs(moves) for machine, moves in RISK.items()},
    **{machine: states.pairs(moves) for machine, moves in SPLITS.items()},
    "endpoint": states.pairs(ENDPOINT),
    "delivery": states.pairs(DELIVERY),
}


# What may run with more rights than its caller, as houfu_engine, which alone writes the ledger and the history. It sees
# no more merchants than its caller: policies bind it too. Lines of buyers are no merchant's: it alone reaches them.
ENGINE_FUNCTIONS = (
    "buyers_look_v1",
    "buyers_score_v1",
    "buyers_unknown_v1",
    "history_append_v1",
    "kernel_merchant_v1",
    "ledger_lock_v1",
    "ledger_open_v1",
    "ledger_post_v1",
    "orders_authorise_v1",
    "orders_free_lines_v1",
)
# What no merchant's row is, and is yet written on every merchant's behalf.
SHARED_TABLES = (
    "payouts_waiver",  # how many fee-free payouts the platform has given (P7)
    "people_memory",  # attempts that count and codes that were used, under digests
    "people_person",  # one person at two merchants is one (S4); a keyed digest is all that is known of them
)
BY = system("upkeep")
CLOCK = "clock.json"  # where a trial instance is told what time it is


class OtherKind(Refused):
    """Whether an instance is live or a trial is decided at its first start, for good."""

    code = "instance_other_kind"


class LiveClock(Refused):
    """The clock of a live instance is the machine's; only a trial instance's may be moved."""

    code = "clock_of_live_instance"


class NotMigrated(Refused):
    """The database is not at this version's schema: run `houfu db migrate`."""

    code = "database_not_migrated"


def migrate(*, kind: str) -> None:
    """Bring the database to this version: tables, moves of states, packs, calendar, its own identity.

    Args:
        kind: "live" or "trial"; decides once, at the first start, whether the clock may ever be moved.
    """
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")  # roles are our own
    call_command("migrate", database="owner", verbosity=0)
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        isolation.apply(cursor, ENGINE_FUNCTIONS, SHARED_TABLES)
        for machine, moves in MACHINES.items():
            cursor.execute("DELETE FROM kernel_move WHERE machine = %s", [machine])
            cursor.executemany("INSERT INTO kernel_move VALUES (%s, %s, %s)", [(machine, *m) for m in sorted(moves)])
    with isolation.acting(BY):
        _write_identity(kind)
    policies.load_shipped(by=BY)
    calendars.load_shipped(by=BY)
    risk.load_shipped(by=BY)


def migrated() -> bool:
    """Say whether the database is at this version's schema; the owner's way in is not kept open."""
    try:
        executor = MigrationExecutor(connections["owner"])
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    finally:
        connections["owner"].close()


def prepare(*, kind: str | None, ours: bool) -> None:
    """Do what a start needs: migrate a database of our own, check any.

    Args:
        kind: "live" or "trial" where the caller insists on one.
        ours: whether the database is the embedded one; another is migrated by `houfu db migrate` alone.

    Raises:
        OtherKind: the instance is there and of the other kind.
    """
    if ours and not migrated():
        migrate(kind=kind or "live")
    check()
    if kind not in (None, Instance.objects.get().kind):
        raise OtherKind(asked=kind)


def check() -> None:
    """Refuse to run on a database that is unsafe or not migrated, and take the clock that the instance has.

    Raises:
        UnsafePostgres, NotMigrated, ContextKeyDiffers, LiveClock: nothing was started.
    """
    connection = connections["default"]
    connection.ensure_connection()
    postgres.refuse_unsafe(connection.connection)
    if not migrated():
        raise NotMigrated()
    isolation.check()
    path = settings.HOME / CLOCK
    if path.exists():
        if Instance.objects.get().kind != "trial":
            raise LiveClock()
        clock.install(clock.FileClock(path))


def set_clock(at: datetime) -> None:
    """Tell a trial instance what time it is.

    Raises:
        LiveClock: this is a live one.
    """
    if Instance.objects.get().kind != "trial":
        raise LiveClock()
    clock.FileClock(settings.HOME / CLOCK).set(at)


@db.action
def _write_identity(kind: str) -> None:
    if not Instance.objects.exists():
        Instance(only_one=True, id=uuid4(), kind=kind, created_at=clock.now()).save(force_insert=True)
        fence.adopt()


def write_channel(name: str, **entry: object) -> None:
    """Write one channel's table into channels.toml of the data folder, beside the others."""
    path = settings.HOME / "channels.toml"
    tables = {**(tomllib.loads(path.read_text()) if path.exists() else {}), name: entry}
    lines = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    draft = path.with_suffix(".new")
    draft.write_text("\n".join(lines))
    draft.replace(path)
