"""Every write to people: staff, their passkeys, and API keys."""

from houfu.people.actions.keys import create_key, digest, revoke_key
from houfu.people.actions.login import SecondPersonNeeded, accept, recover
from houfu.people.actions.passkeys import add_passkey, remove_passkey
from houfu.people.actions.staff import change, create_owner, disable, enable, invite
from houfu.people.rules import Settings

__all__ = [
    "SecondPersonNeeded",
    "Settings",
    "accept",
    "add_passkey",
    "change",
    "create_key",
    "create_owner",
    "digest",
    "disable",
    "enable",
    "invite",
    "recover",
    "remove_passkey",
    "revoke_key",
]
