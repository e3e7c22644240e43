"""What may happen to an order, from where (O1)."""

from houfu.kernel import states

OPEN = "received overdue settled matured closed"

ORDER = states.table(
    ship=("authorised", "shipped"),
    cancel=("authorised", "cancelled"),
    expire=("authorised", "expired"),
    receive=("shipped", "received"),
    fall_due=("received", "overdue"),
    settle=("received overdue", "settled"),
    mature=("settled", "matured"),
    close=("matured", "closed"),
    reopen=("closed", "matured"),
    write_off=("overdue", "written_off"),
    refund_whole=("authorised shipped " + OPEN, "refunded"),
    dispute=("received overdue settled matured", "disputed"),
)
# A dispute ends where it began, or in a refund.
BACK = {("disputed", state) for state in ("received", "overdue", "settled", "matured", "refunded")}
PAIRS = states.pairs(ORDER) | BACK
