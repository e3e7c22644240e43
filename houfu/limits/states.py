"""What may happen to a pool, its adjustments and bands, and to a temporary loan, from where."""

from functools import partial

from houfu.kernel import states

POOL = states.table(
    freeze=("active", "frozen"),
    unfreeze=("frozen", "active"),
)
LOAN = states.table(
    repay_part=("open partly_repaid", "partly_repaid"),
    repay_rest=("open partly_repaid overdue", "repaid"),
    fall_due=("open partly_repaid", "overdue"),
)
ADJUSTMENT = states.table(
    accept=("proposed", "accepted"),
    reject=("proposed", "rejected"),
    withdraw=("proposed accepted", "withdrawn"),
    expire=("proposed accepted", "expired"),
)
BANDS = states.table(
    accept=("proposed", "accepted"),
    reject=("proposed", "rejected"),
    withdraw=("proposed accepted", "withdrawn"),
    replace=("accepted", "replaced"),
)
move_adjustment = partial(states.apply, ADJUSTMENT)
move_bands = partial(states.apply, BANDS)
move_pool = partial(states.apply, POOL)
