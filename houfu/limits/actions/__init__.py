"""Every write to limits. Drawing is decided in sql/limits_draw_v1.sql."""

from houfu.limits.actions.grants import NoteTooShort, grant, note_tolerance, reduce
from houfu.limits.actions.loans import LoanOpen, LoanRefused, lend, mark_overdue, repay_loan
from houfu.limits.actions.pools import (
    BadShare,
    MemberAlready,
    NotInGroup,
    PoolCapReached,
    PoolExists,
    freeze_pool,
    grant_pool,
    join_pool,
    open_pool,
    unfreeze_pool,
)
from houfu.limits.actions.recovery import begin_recovery, restore

__all__ = [
    "BadShare",
    "LoanOpen",
    "LoanRefused",
    "MemberAlready",
    "NotInGroup",
    "NoteTooShort",
    "PoolCapReached",
    "PoolExists",
    "begin_recovery",
    "freeze_pool",
    "grant",
    "grant_pool",
    "join_pool",
    "lend",
    "mark_overdue",
    "note_tolerance",
    "open_pool",
    "reduce",
    "repay_loan",
    "restore",
    "unfreeze_pool",
]
