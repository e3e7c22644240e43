"""Every write to splits: one verb, one function, its own transaction."""

from houfu.splits.actions.dividing import call_off, follow_agreement, propose, settle
from houfu.splits.actions.parties import (
    agree_logistics,
    bind,
    follow_confirmation,
    note_bond,
    note_cap,
    register,
    release,
    renew,
    revoke,
)
from houfu.splits.actions.partners import add_endpoint, create_key, tell_limits
from houfu.splits.actions.returns import begin_return, postpone_return, recall, record_return
from houfu.splits.actions.sending import begin, postpone, record

__all__ = [
    "add_endpoint",
    "agree_logistics",
    "begin",
    "begin_return",
    "bind",
    "call_off",
    "create_key",
    "follow_agreement",
    "follow_confirmation",
    "note_bond",
    "note_cap",
    "postpone",
    "postpone_return",
    "propose",
    "recall",
    "record",
    "record_return",
    "register",
    "release",
    "renew",
    "revoke",
    "settle",
    "tell_limits",
]
