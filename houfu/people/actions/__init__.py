"""Every write to people: staff, their passkeys, and API keys."""

from houfu.people.actions.access import ask_access, give_access, refuse_access, revoke_access
from houfu.people.actions.keys import create_key, create_partner_key, digest, revoke_key, revoke_partner_keys
from houfu.people.actions.login import SecondPersonNeeded, accept, count_passkey, recover
from houfu.people.actions.passkeys import add_passkey, remove_passkey
from houfu.people.actions.profile import set_profile
from houfu.people.actions.staff import change, create_owner, disable, enable, invite
from houfu.people.actions.totp import use_totp
from houfu.people.rules import Settings

__all__ = [
    "SecondPersonNeeded",
    "Settings",
    "accept",
    "add_passkey",
    "ask_access",
    "change",
    "count_passkey",
    "create_key",
    "create_owner",
    "create_partner_key",
    "digest",
    "disable",
    "enable",
    "give_access",
    "invite",
    "recover",
    "refuse_access",
    "remove_passkey",
    "revoke_access",
    "revoke_key",
    "revoke_partner_keys",
    "set_profile",
    "use_totp",
]
