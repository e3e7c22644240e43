"""Signing in over real HTTP, with real passkeys: who comes in, by what, for how long, and who does not."""

import pytest

from houfu.people import actions as people
from houfu.people.actions import Settings
from houfu.testing.web import Browser, running_web, signed_in
from houfu.testing.world import new_identity, open_shop

pytestmark = pytest.mark.usefixtures("db")
PASSWORD = "korrekt-pferd-batterie"


@pytest.fixture(scope="module")
def address():
    with running_web() as found:
        yield found


@pytest.fixture
def shop():
    return open_shop(own_limit_fen=0)


def invited(shop, role="legal", **caps):
    """Invite somebody, and return the member, the invitation and the name by which they will sign in."""
    member, invitation = people.invite(
        by=shop.owner, merchant_id=shop.merchant_id, name="韩梅梅", identity=new_identity(),
        settings=Settings(role, **caps),
    )  # fmt: skip
    return member, invitation, f"han-{member.id}@shop.example"


def test_from_an_invitation_to_a_session_that_a_passkey_has_opened(address, shop):
    member, invitation, name = invited(shop)
    browser, passkey = signed_in(address, invitation, name, PASSWORD)
    status, me = browser("GET", "/v1/people/me")
    assert (status, me["staff_id"], me["role"], me["problem"]) == (200, member.id, "legal", "")
    assert browser("GET", "/v1/stores")[0] == 200
    again = Browser(address)
    assert again.answer(passkey, "login") == 200
    assert again("GET", "/v1/people")[0] == 200
