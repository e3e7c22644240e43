"""houfu db: the database under the product."""

from pathlib import Path

import click
from django.conf import settings

from houfu.kernel import postgres
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
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
def dump(file: Path) -> None:
    """Write the embedded database to a file, whole or not at all. Example: houfu db dump houfu.dump

    The keys that read what is sealed in it lie in keys/ of the data folder: keep them, and apart from it.
    """
    address = postgres.url(Path(settings.HOME), "houfu_backup")
    if address is None:
        raise click.UsageError("there is no embedded database here; dump an external one as its administrator")
    postgres.dump(address, file)
    click.echo(f"{file}: {file.stat().st_size} bytes")


@cli.command()
@json_option
def check(as_json: bool) -> None:
    """Say whether the database is safe to run on. Example: houfu db check --json"""
    upkeep.check()
    emit({"safe": True, "migrated": True}, as_json)
