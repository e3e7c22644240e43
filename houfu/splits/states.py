"""What may happen to parties, bindings, rules, splits and returns, from where."""

from functools import partial

from houfu.kernel import states

PARTY = states.table(confirm=("registered", "confirmed"), revoke=("registered confirmed", "revoked"))
BINDING = states.table(
    ask=("refused released", "asked"),
    bind=("asked", "bound"),
    refuse=("asked", "refused"),
    release=("asked bound refused", "releasing"),
    let_go=("releasing", "released"),
)
RULE = states.table(approve=("proposed", "approved"), reject=("proposed", "rejected"))
SPLIT = states.table(
    cancel=("scheduled", "cancelled"),
    begin=("scheduled", "submitting"),
    accept=("submitting unknown", "submitted"),
    lose_sight=("submitting submitted", "unknown"),
    finish=("submitting submitted unknown", "done"),
    fail=("submitting submitted unknown", "failed"),
)
RETURN = states.table(
    schedule=("waiting", "scheduled"),
    take_off=("waiting", "taken_off"),
    begin=("scheduled", "submitting"),
    accept=("submitting unknown", "submitted"),
    lose_sight=("submitting submitted", "unknown"),
    bring_back=("submitting submitted unknown", "returned"),
    fail=("submitting submitted unknown", "failed"),
)
MACHINES = {"party": PARTY, "binding": BINDING, "split_rule": RULE, "split": SPLIT, "split_return": RETURN}
move_party = partial(states.apply, PARTY)
move_binding = partial(states.apply, BINDING)
move_rule = partial(states.apply, RULE)
move = partial(states.apply, SPLIT)
move_return = partial(states.apply, RETURN)
