"""What the tests of splits stand on."""

import pytest


@pytest.fixture
def chain(db):
    """A shop whose channel gives 900 per mille of an order's net to others."""
    from houfu.splits.tests.ground import Chain

    return Chain()
