"""houfu order: the orders' own commands, and the way from an order to its payouts."""

from houfu.orders.cli import cli
from houfu.payouts.cli import trace_order

cli.add_command(trace_order)
__all__ = ["cli"]
