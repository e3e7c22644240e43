"""What may happen to a pool and to a temporary loan, from where."""

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
move_pool = partial(states.apply, POOL)
