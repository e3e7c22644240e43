"""An operator's terminal: runs `houfu` commands one after another in one process, so that each need not start anew."""

import contextlib
import io
import json
import sys

import click

from houfu.cli.main import cli, refused
from houfu.kernel.errors import Refused


def main() -> None:
    """Run each command that comes in, a JSON list of arguments in a line, and answer in a line with what it printed."""
    for line in sys.stdin:
        arguments = json.loads(line)
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            try:
                cli.main(args=arguments, prog_name="houfu", standalone_mode=False)
            except Refused as refusal:
                click.echo(json.dumps(refused(refusal), ensure_ascii=False, default=str))
            except SystemExit:
                pass
            except Exception as error:  # whatever it is, whoever asked is to see it, and may ask again
                click.echo(f"{type(error).__name__}: {error}", err=True)
        click.echo(json.dumps([said.getvalue(), complained.getvalue()]))


if __name__ == "__main__":
    main()
