"""houfu db: the database under the product."""

import click

from houfu.kernel.terminal import emit, json_option
from houfu.site import upkeep


@click.group("db")
def cli() -> None:
    """Bring the database to this version, or look at it."""


@cli.command()
@click.option("--trial", is_flag=True, help="Make this a trial instance, whose clock may be moved.")
def migrate(trial: bool) -> None:
    """Migrate the database. Example: DATABASE_URL=postgresql://… houfu db migrate"""
    upkeep.migrate(kind="trial" if trial else "live")
    click.echo("The database is at this version.")


@cli.command()
@json_option
def check(as_json: bool) -> None:
    """Say whether the database is safe to run on. Example: houfu db check --json"""
    upkeep.check()
    emit({"safe": True, "migrated": True}, as_json)
