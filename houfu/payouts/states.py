"""What may happen to a payout and to a beneficiary, from where."""

from functools import partial

from houfu.kernel import states

PAYOUT = states.table(
    approve=("pending_approval", "scheduled"),
    hold=("pending_approval", "risk_hold"),
    release=("risk_hold", "scheduled"),
    reject=("pending_approval risk_hold", "rejected"),
    lapse=("pending_approval", "expired"),
    cancel=("pending_approval risk_hold scheduled", "cancelled"),
    begin=("scheduled", "submitting"),
    accept=("submitting unknown", "submitted"),
    lose_sight=("submitting submitted", "unknown"),
    pay=("submitting submitted unknown", "paid"),
    fail=("submitting submitted unknown", "failed"),
    give_back=("paid", "returned"),
)
WAITING = frozenset({"pending_approval", "risk_hold"})
GIVEN_BACK = frozenset({"failed", "returned", "cancelled", "rejected", "expired"})
FINAL = GIVEN_BACK | {"paid"}
move = partial(states.apply, PAYOUT)

BENEFICIARY = states.table(
    confirm=("registered", "confirmed"),
    verify=("confirmed verified", "verified"),
    suspend=("verified", "confirmed"),
    revoke=("registered confirmed verified", "revoked"),
)
move_beneficiary = partial(states.apply, BENEFICIARY)
