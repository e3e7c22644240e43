"""A house for the tests of a file, and its door; nothing of ours is imported before the ground is there."""

import pytest


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """The house in which the tests of a file live, with its web process."""
    from houfu.orders.intake.tests.house import House
    from houfu.testing.plugin import own_database

    with own_database() as url:
        house = House(url, tmp_path_factory.mktemp("house"))
        with house.process("web") as (_, house.web_url):
            yield house


@pytest.fixture(scope="module")
def door(house):
    """The address of a door."""
    with house.door() as door:
        yield door.address
