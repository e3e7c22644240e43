"""One company for all tests of a file: each test makes requests of its own."""

import pytest


@pytest.fixture(scope="module")
def company():
    from houfu.kernel import clock
    from houfu.testing.company import open_company
    from houfu.testing.plugin import MONDAY_TEN

    with clock.standing_at(clock.SteppedClock(MONDAY_TEN)):
        return open_company()
