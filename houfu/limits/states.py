"""What may happen to a pool, a temporary loan, a recognition and a conversion, from where."""

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
RECOGNITION = states.table(
    recognise_one=("proposed", "recognised_by_one"),
    recognise=("recognised_by_one", "recognised"),
    refuse=("proposed recognised_by_one", "refused"),
    withdraw=("proposed recognised_by_one recognised", "withdrawn"),
)
CONVERSION = states.table(
    confirm=("asked held", "active"),
    refuse=("asked held", "refused"),
    lapse=("asked held", "lapsed"),
    true_up=("active", "returning"),
    true_up_whole=("active", "returned"),
    bring_back=("returning", "returned"),
)
move_pool = partial(states.apply, POOL)
move_recognition = partial(states.apply, RECOGNITION)
move_conversion = partial(states.apply, CONVERSION)
