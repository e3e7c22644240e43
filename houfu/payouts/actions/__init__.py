"""Every write to payouts: one verb, one function, its own transaction."""

from houfu.payouts.actions.beneficiaries import (
    follow_confirmation,
    note_channel_state,
    register,
    revoke,
    verify,
)
from houfu.payouts.actions.requests import cancel, request
from houfu.payouts.actions.runs import run, stand, stand_down
from houfu.payouts.actions.sending import begin, note_late, postpone, record, turn_down
from houfu.payouts.actions.waiting import follow

__all__ = [
    "begin",
    "cancel",
    "follow",
    "follow_confirmation",
    "note_channel_state",
    "note_late",
    "postpone",
    "record",
    "register",
    "request",
    "revoke",
    "run",
    "stand",
    "stand_down",
    "turn_down",
    "verify",
]
