"""What may happen to a payout and to a beneficiary, from where."""

from functools import partial

from houfu.kernel import states

PAYOUT = states.table(
    begin=("scheduled", "submitting"),
    cancel=("scheduled", "cancelled"),
    accept=("submitting unknown", "submitted"),
    lose_sight=("submitting submitted", "unknown"),
    pay=("submitting submitted unknown", "paid"),
    fail=("submitting submitted unknown", "failed"),
    give_back=("paid", "returned"),
)
FINAL = frozenset({"paid", "failed", "returned", "cancelled"})
GIVEN_BACK = frozenset({"failed", "returned", "cancelled"})
move = partial(states.apply, PAYOUT)

BENEFICIARY = states.table(
    verify=("registered verified", "verified"),
    suspend=("verified", "registered"),
    revoke=("registered verified", "revoked"),
)
move_beneficiary = partial(states.apply, BENEFICIARY)
