"""What may happen to a version of a rule, an alert, a case, a hold, an appeal and a package, from where."""

from functools import partial

from houfu.kernel import states

RULE = states.table(
    watch=("draft", "shadow"),
    promote=("shadow", "active"),
    retire=("draft shadow active", "retired"),
)
ALERT = states.table(
    acknowledge=("open", "acknowledged"),
    dismiss=("acknowledged", "dismissed"),
    escalate=("acknowledged", "escalated"),
)
CASE = states.table(
    investigate=("open", "investigating"),
    wait=("investigating", "waiting"),
    resume=("waiting", "investigating"),
    decide=("investigating", "decided"),
    close=("decided", "closed"),
    reopen=("decided closed", "investigating"),
)
HOLD = states.table(
    release=("held", "released"),
    confirm=("held", "confirmed"),
)
APPEAL = states.table(
    take_up=("submitted", "in_review"),
    uphold=("in_review", "upheld"),
    overturn=("in_review", "overturned"),
    rule_out=("in_review", "inadmissible"),
)
PACKAGE = states.table(
    release=("in_review", "released"),
    reject=("in_review", "rejected"),
)
move_rule = partial(states.apply, RULE)
move_alert = partial(states.apply, ALERT)
move_case = partial(states.apply, CASE)
move_hold = partial(states.apply, HOLD)
move_appeal = partial(states.apply, APPEAL)
move_package = partial(states.apply, PACKAGE)
MACHINES = {
    "risk_rule": RULE,
    "alert": ALERT,
    "case": CASE,
    "hold": HOLD,
    "appeal": APPEAL,
    "package": PACKAGE,
}
