"""Every write to orders: one verb, one function, its own transaction, for any number of orders of a merchant."""

from houfu.orders.actions.authorise import Asked, BadOrder, Decision, NewOrder, authorise, decide
from houfu.orders.actions.leaving import Part, allocate, close, free, reopen, split, unsplit
from houfu.orders.actions.life import cancel, confirm_receipts, expire, fall_due, receive, ship
from houfu.orders.actions.lines import free_lines
from houfu.orders.actions.money import mature, mature_due, offset_deficits, settle, write_off
from houfu.orders.actions.refunds import dispute, refund, resolve

__all__ = [
    "Asked",
    "BadOrder",
    "Decision",
    "NewOrder",
    "Part",
    "allocate",
    "authorise",
    "cancel",
    "close",
    "confirm_receipts",
    "decide",
    "dispute",
    "expire",
    "fall_due",
    "free",
    "free_lines",
    "mature",
    "mature_due",
    "offset_deficits",
    "receive",
    "refund",
    "reopen",
    "resolve",
    "settle",
    "ship",
    "split",
    "unsplit",
    "write_off",
]
