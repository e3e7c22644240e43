"""A shop with money to pay out."""

import pytest


@pytest.fixture
def shop(platform, channel):
    """A shop with 6,000.00 yuan to pay out, in one lot; its test leaves no payout open."""
    from houfu.payouts.models import Payout
    from houfu.payouts.tests.shops import earn
    from houfu.testing.world import open_shop

    channel.connect(timeout=1)
    shop = open_shop()
    earn(channel, shop, 600_000)
    shop.payee()
    yield shop
    assert not Payout.objects.filter(final_at=None).exists()
