"""A merchant's chain recomputed part by part, and the listing of one kind of thing."""

from houfu.history import queries
from houfu.history.tests.test_tampering import ALTERED, MISSING, ONE, as_owner, chains  # noqa: F401  a fixture


def test_parts_follow_on_each_other_and_end_at_the_head(chains):  # noqa: F811
    first = queries.recomputed(ONE, 0, 3)
    rest = queries.recomputed(ONE, first.last, 3)
    assert (first.links, rest.links, first.broken + rest.broken) == (3, 2, [])
    assert (rest.last, rest.hash) == queries.ended(ONE)
    assert queries.recomputed(ONE, rest.last, 3) == queries.Stretch(5, 0, "", [])


def test_a_link_that_was_altered_or_taken_out_is_named_whichever_part_it_lies_in(chains):  # noqa: F811
    as_owner(f"UPDATE history_link SET detail = '{{}}' WHERE merchant_id = {ONE} AND seq = 2")
    assert queries.recomputed(ONE, 0, 3).broken == [{"seq": 2, "fault": ALTERED}]
    as_owner(f"DELETE FROM history_link WHERE merchant_id = {ONE} AND seq = 4")
    assert {"seq": 5, "fault": MISSING} in queries.recomputed(ONE, 3, 3).broken


def test_one_kind_of_thing_is_listed(chains):  # noqa: F811
    assert [link.seq for link in queries.links(ONE, noun="test", limit=2)] == [5, 4]
    assert queries.links(ONE, noun="payout") == []
    assert queries.count(ONE, noun="test") == 5
