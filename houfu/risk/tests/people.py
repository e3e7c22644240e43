"""Who deals with risk in the tests."""

from houfu.people import rules
from houfu.people.actor import Actor, operator

LI, ZHAO, CHEN = operator("li"), operator("zhao"), operator("chen")


def staff(shop, role, person, stores=None):
    """A member of a shop's staff as an actor."""
    return Actor(f"staff/{person}", person, shop.merchant_id, rules.ROLES[role], kind="staff", role=role, stores=stores)
