"""Who may see a job."""

import pytest

from houfu.jobs import rules

OWN, OTHERS = True, False


@pytest.mark.parametrize(
    ("scopes", "stores", "own", "job_stores", "seen"),
    [
        ("orders:read", None, OTHERS, {1}, True),  # whoever sees the whole merchant
        ("orders:read", None, OTHERS, None, True),
        ("payouts:read", None, OWN, None, False),  # one's own, but the right is gone
        ("orders:read", {1, 2}, OWN, {1}, True),
        ("orders:read", {1, 2}, OTHERS, {1}, False),
        ("orders:read", {2}, OWN, {1}, False),  # moved to another store since
        ("orders:read", {1}, OWN, None, False),  # bound since
    ],
)
def test_a_job_is_seen_by_who_asked_and_by_who_sees_the_whole_merchant(scopes, stores, own, job_stores, seen):
    found = rules.visible(scopes={scopes}, stores=stores, own=own, needs={"orders:read"}, job_stores=job_stores)
    assert found is seen


def test_the_platforms_third_member_is_not_the_merchants():
    assert rules.own("staff/3", False, "staff/3", False)
    assert not rules.own("staff/3", True, "staff/3", False)
