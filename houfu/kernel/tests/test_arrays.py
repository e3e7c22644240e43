"""Lists for SQL functions: what the database reads is what was sent, for every type, with gaps and without."""

from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houfu.history import queries as history
from houfu.kernel import db
from houfu.kernel.arrays import encoded
from houfu.kernel.clock import shanghai
from houfu.kernel.db import OutOfRange

pytestmark = pytest.mark.usefixtures("db")


def width(bits):
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


ITEMS = {
    "smallint[]": width(16),
    "integer[]": width(32),
    "bigint[]": width(64),
    "text[]": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300),
    "boolean[]": st.booleans(),
    "bytea[]": st.binary(max_size=300),
    "uuid[]": st.uuids(),
    "date[]": st.dates(),
    "timestamp with time zone[]": st.datetimes(
        shanghai(1900, 1, 1).replace(tzinfo=None),
        shanghai(2200, 1, 1).replace(tzinfo=None),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]),
    ),
}


@pytest.mark.parametrize("type_", ITEMS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_a_list_arrives_as_it_was_sent(type_, data):
    item = ITEMS[type_]
    sent = data.draw(st.lists(item, max_size=20) | st.lists(st.none() | item, max_size=20))
    assert db.rows(f"SELECT %s::{type_} AS back", [encoded(type_, sent)])[0].back == sent


@pytest.mark.parametrize("type_", ITEMS)
def test_what_is_no_list_stays_as_it_is(type_):
    assert encoded(type_, None) is None
    assert encoded("bigint", 7) == 7


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("smallint[]", [2**15]),
        ("integer[]", [0, -(2**31) - 1]),
        ("bigint[]", [2**63]),
        ("bigint[]", [None, 2**63]),
    ],
)
def test_what_does_not_fit_is_not_cut_to_fit(type_, values):
    with pytest.raises(OverflowError):
        encoded(type_, values)


def test_a_number_that_does_not_fit_refuses_the_action(clock):
    before = len(history.links(0))

    @db.action
    def write(merchant_id, verb):
        db.call("history_append_v1", [merchant_id], [clock.now()], ["x"], [verb], ["x/1"], ["{}"], [None])

    for merchant_id, verb in ((2**63, "test.said"), (0, "test.\ud800")):
        with pytest.raises(OutOfRange):
            write(merchant_id, verb)
    assert len(history.links(0)) == before
