"""What may happen to a job, from where."""

from functools import partial

from houfu.kernel import states

JOB = states.table(
    start=("waiting", "running"),
    finish=("running", "done"),
    fail=("running", "failed"),
    cancel=("waiting running", "cancelled"),
)
OPEN = ("waiting", "running")
move_job = partial(states.apply, JOB)
