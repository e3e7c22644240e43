"""What may happen to a member of the staff, from where."""

from functools import partial

from houfu.kernel import states

STAFF = states.table(
    accept=("invited", "active"),
    disable=("invited active", "disabled"),
    recover=("active", "invited"),
    enable=("disabled", "active"),
)
move_staff = partial(states.apply, STAFF)
