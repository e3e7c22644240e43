"""What may happen to a member of the staff and to an access grant, from where."""

from functools import partial

from houfu.kernel import states

STAFF = states.table(
    accept=("invited", "active"),
    disable=("invited active", "disabled"),
    recover=("active", "invited"),
    enable=("disabled", "active"),
)
move_staff = partial(states.apply, STAFF)
# An access grant runs out by the hour, which is no step.
ACCESS = states.table(
    give=("asked", "given"),
    refuse=("asked", "refused"),
    revoke=("asked given", "revoked"),
)
move_access = partial(states.apply, ACCESS)
