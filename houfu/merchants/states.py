"""What may happen to a store, from where."""

from functools import partial

from houfu.kernel import states

STORE = states.table(
    freeze=("active", "frozen"),
    unfreeze=("frozen", "active"),
    close=("active frozen", "closed"),
)
move_store = partial(states.apply, STORE)
