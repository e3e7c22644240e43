"""houfu limit: limits' own commands, and what other limits would have meant."""

from houfu.insight.cli import whatif
from houfu.limits.cli import limit

limit.add_command(whatif)
__all__ = ["limit"]
