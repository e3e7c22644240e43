"""houfu job, houfu export: the room's own commands, and the process that does the work."""

import os

import click

from houfu.cli.up import told_to_stop
from houfu.jobs.cli import export, job
from houfu.site import kinds


@job.command()
@click.option("--pause", default=1.0, show_default=True, help="Seconds between looks when there was nothing to do.")
def work(pause: float) -> None:
    """Take the steps of jobs alone, below all other processes; one runner works at a time. Example: houfu job work"""
    from houfu.jobs.runner import Runner

    os.nice(10)
    Runner(stopping=told_to_stop()).serve(pause)


__all__ = ["export", "job", "kinds"]
