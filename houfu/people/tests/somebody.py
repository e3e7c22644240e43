"""Somebody who signs in: invited, with a password, a passkey or a code generator."""

from allauth.mfa.totp.internal.auth import hotp_value

from houfu.history import queries as history
from houfu.people import actions as people
from houfu.people.actions import Settings
from houfu.testing.web import Browser, signed_in
from houfu.testing.world import new_identity

PASSWORD = "korrekt-pferd-batterie"


def invited(shop, role="legal", **caps):
    """Invite somebody, and return the member, the invitation and the name by which they will sign in."""
    member, invitation = people.invite(
        by=shop.owner, merchant_id=shop.merchant_id, name="韩梅梅", identity=new_identity(),
        settings=Settings(role, **caps),
    )  # fmt: skip
    return member, invitation, f"han-{member.merchant_id}-{member.id}@shop.example"


def here(address, shop, role="legal"):
    """Return somebody with a session that a passkey has opened."""
    member, invitation, name = invited(shop, role)
    browser, passkey = signed_in(address, invitation, name, PASSWORD)
    return member, name, browser, passkey


def verbs(shop, member):
    return [link.verb for link in history.links(shop.merchant_id, subject=f"staff/{member.id}")]


class HalfMinute:
    """Which half minute it is for code generators: it goes on when a test says so."""

    now = 58_000_000


def code(secret, half_minute=None):
    return f"{hotp_value(secret, half_minute or HalfMinute.now):06d}"


def with_totp(address, shop, role="auditor"):
    """Return somebody who has added a code generator, and its secret."""
    member, invitation, name = invited(shop, role)
    browser = Browser(address)
    assert browser.accept(invitation, name, PASSWORD) == 201
    assert browser.sign_in(name, PASSWORD) == 200
    assert browser.reauthenticate(PASSWORD) == 200
    secret = browser.auth("GET", "account/authenticators/totp")[1]["meta"]["secret"]
    assert browser.auth("POST", "account/authenticators/totp", {"code": code(secret)})[0] == 200
    return member, name, browser, secret
