"""houfu verify: prove the books."""

import sys
from dataclasses import asdict

import click

from houfu.kernel.terminal import emit, json_option
from houfu.verify import queries


@click.command("verify")
@click.option("--only", default="", help="Only checks whose name begins so, such as i06.")
@json_option
def cli(only: str, as_json: bool) -> None:
    """Prove every invariant from the rows; exit 1 with the broken ones. Example: houfu verify --json"""
    report = queries.run(only)
    if as_json:
        emit(asdict(report), True)
    else:
        for finding in report.findings:
            click.echo(f"✗ {finding.invariant} {finding.check}: {finding.statement}")
            emit(finding.rows, False)
        click.echo(f"{report.checks} checks, {len(report.findings)} findings, {report.seconds} s")
    sys.exit(1 if report.findings else 0)
