"""One company for all tests of a file: each test makes requests of its own."""

import pytest

from houfu.approvals.tests.company import Company, open_company
from houfu.kernel import clock as clocks
from houfu.testing.plugin import MONDAY_TEN


@pytest.fixture(scope="module")
def company() -> Company:
    with clocks.standing_at(clocks.SteppedClock(MONDAY_TEN)):
        return open_company()
