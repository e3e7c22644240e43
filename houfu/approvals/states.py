"""What may happen to a request for approval, from where."""

from functools import partial

from houfu.kernel import states

APPROVAL = states.table(
    approve=("open", "approved"),
    reject=("open", "rejected"),
    void=("open approved", "void"),
    withdraw=("open", "withdrawn"),
    expire=("open", "expired"),
)
LIVE = frozenset({"open", "approved"})
move = partial(states.apply, APPROVAL)
