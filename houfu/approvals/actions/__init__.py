"""Every write to approvals: requests, signatures, delegations; callers say `approvals.open`, `approvals.void`."""

from houfu.approvals.actions.delegations import DelegationRefused, delegate, end_delegation
from houfu.approvals.actions.lapsing import lapse
from houfu.approvals.actions.requests import (
    BadRequest,
    IdReused,
    NoteMissing,
    SignatureRefused,
    VersionAsked,
    open,  # noqa: A004  callers say approvals.open
    reject,
    void,
    withdraw,
)
from houfu.approvals.actions.signing import (
    AssertionUsed,
    OutOfTurn,
    OwnMatter,
    PersonOnce,
    ProofMissing,
    allow_totp,
    sign,
)

__all__ = [
    "AssertionUsed",
    "BadRequest",
    "DelegationRefused",
    "IdReused",
    "NoteMissing",
    "OutOfTurn",
    "OwnMatter",
    "PersonOnce",
    "ProofMissing",
    "SignatureRefused",
    "VersionAsked",
    "allow_totp",
    "delegate",
    "end_delegation",
    "lapse",
    "open",
    "reject",
    "sign",
    "void",
    "withdraw",
]
