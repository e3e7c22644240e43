"""`python -m houfu` is the `houfu` command."""

from houfu.cli.main import main

main()
