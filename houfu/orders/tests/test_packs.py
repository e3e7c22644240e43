"""Orders are decided by the packs that are loaded, whoever loaded them meanwhile."""

import pytest

from houfu.history import queries as histories
from houfu.kernel import clock as clocks
from houfu.policies import actions as policies
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, open_shop

pytestmark = pytest.mark.usefixtures("fresh_db")
NEXT = """
version = "2027-01-01"
effective_from = 2027-01-01T00:00:00+08:00
title = "A narrower band"
source = "The operator's own rule, decided in December."

[orders]
tolerance_permille = 1_000
"""


def decided_by(shop):
    """Return the packs that the merchant's decisions were made by, the latest first."""
    return [link.detail["policy"] for link in histories.links(shop.merchant_id) if link.verb == "orders.authorised"]


def test_a_pack_that_another_process_has_loaded_decides_from_its_instant_on(clock):
    shop = open_shop()
    clock.at = clocks.shanghai(2027, 1, 1)
    assert shop.place(100)[0].state == "authorised"
    before = decided_by(shop)
    assert in_threads(lambda text: policies.load(by=OPERATOR, text=text) and None, [NEXT]) == [None]
    assert shop.place(200)[0].state == "authorised"
    assert decided_by(shop) == ["2027-01-01", *before]
    clock.at = clocks.shanghai(2026, 12, 31)
    assert shop.place(300)[0].state == "authorised"
    assert decided_by(shop) == [*before, "2027-01-01", *before]
    assert shop.fen("q:own:held") == 600
