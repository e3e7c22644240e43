"""Who may ask for how much, and who must agree: S1–S6 and P9 as pure decisions."""

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from houfu.kernel.clock import shanghai
from houfu.payouts.tiers import LADDER, Asker, Counted, Joined, covering, judge
from houfu.policies import queries as policies

AT = shanghai(2025, 11, 10, 10)
pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def staff(db):
    return policies.at(AT).staff


def before(*amounts_fen, shares=("person",)):
    """Return payouts of these amounts, asked for one after another within the last hour."""
    return tuple(Joined(uuid4(), AT - timedelta(minutes=n), fen, shares) for n, fen in enumerate(amounts_fen))


def codes(judgement):
    return [reason.code for reason in judgement.reasons]


@pytest.mark.parametrize(
    ("role", "fen", "refused", "chain"),
    [
        ("clerk", 499_999, [], ()),
        ("clerk", 500_000, [], ()),
        ("clerk", 500_001, ["above_tier"], ("supervisor",)),
        ("store_manager", 1, [], ("supervisor",)),
        ("store_manager", 2_000_000, [], ("supervisor",)),
        ("store_manager", 2_000_001, ["above_tier"], ("legal",)),
        ("regional_manager", 5_000_000, [], ("legal",)),
        ("regional_manager", 5_000_001, [], ("owner", "legal")),
        ("finance", 10_000, [], ("owner", "legal")),
        ("", 10_000, [], ("owner", "legal")),
    ],
)
def test_each_tier_has_its_cap_and_its_approvers(staff, role, fen, refused, chain):
    """S1–S4, at the limit and a fen beside it."""
    judgement = judge(Asker(role), fen, Counted(), staff, AT)
    assert (codes(judgement), judgement.chain) == (refused, chain)


@pytest.mark.parametrize(("crosses", "chain"), [(False, ()), (True, ("supervisor",))])
def test_whoever_pays_out_another_stores_claim_is_confirmed_by_somebody_whatever_the_tier_says(staff, crosses, chain):
    """G9: a pack may let a tier ask alone, but never for another store's money."""
    alone = msgspec.structs.replace(staff, store_manager=msgspec.structs.replace(staff.store_manager, approvers=()))
    asker = Asker("store_manager", crosses=crosses, stepped_up_at=AT)
    assert judge(asker, 1_000, Counted(), alone, AT, ("supervisor",)).chain == chain
    assert judge(asker, 1_000, Counted(), staff, AT, ("owner",)).chain == ("supervisor",)


def test_four_small_payouts_are_one_of_their_sum(staff):
    """P9: 4 × 1,499 is judged as 5,996: a supervisor agrees, and compliance looks at it first."""
    third = judge(Asker("clerk"), 149_900, Counted(2, 299_800, before(149_900, 149_900)), staff, AT)
    fourth = judge(Asker("clerk"), 149_900, Counted(3, 0, before(149_900, 149_900, 149_900)), staff, AT)
    assert (third.aggregated_fen, third.chain, third.structured) == (449_700, (), False)
    assert (fourth.aggregated_fen, fourth.chain, fourth.structured) == (599_600, ("supervisor",), True)


@pytest.mark.parametrize(("joined", "structured"), [(400_000, False), (400_001, True)])
def test_the_sum_is_held_from_the_first_fen_above_the_cap(staff, joined, structured):
    assert judge(Asker("clerk"), 100_000, Counted(1, 0, before(joined)), staff, AT).structured is structured


@pytest.mark.parametrize("shares", [("person",), ("device",), ("beneficiary",), ("store",)])
def test_whatever_is_shared_joins(staff, shares):
    """P9: two accounts, two devices, two stores or two beneficiaries do not make two of one."""
    assert judge(Asker("clerk"), 300_000, Counted(0, 0, before(300_000, shares=shares)), staff, AT).structured


@pytest.mark.parametrize(("today", "own", "allowed"), [
    (4, None, True), (5, None, False), (0, 1, True), (1, 1, False), (4, 5, True),
])  # fmt: skip
def test_a_person_asks_up_to_their_daily_count(staff, today, own, allowed):
    """S5: one to five a day, set per person."""
    judgement = judge(Asker("clerk", daily_count=own), 10_000, Counted(today), staff, AT)
    assert codes(judgement) == ([] if allowed else ["daily_count_reached"])


@pytest.mark.parametrize(("month", "allowed"), [(400_000, True), (400_001, False)])
def test_a_month_may_have_its_cap_too(staff, month, allowed):
    """S6, where one was set for the person."""
    judgement = judge(Asker("clerk", monthly_fen=500_000), 100_000, Counted(0, month), staff, AT)
    assert codes(judgement) == ([] if allowed else ["monthly_cap_reached"])


@pytest.mark.parametrize(
    ("crosses", "minutes", "allowed"),
    [(False, None, True), (True, None, False), (True, 5, True), (True, 5.1, False), (True, 0, True)],
)
def test_money_of_another_store_needs_a_fresh_proof_of_who_asks(staff, crosses, minutes, allowed):
    """S8."""
    proved = None if minutes is None else AT - timedelta(minutes=minutes)
    asker = Asker("regional_manager", crosses=crosses, stepped_up_at=proved)
    assert codes(judge(asker, 10_000, Counted(), staff, AT)) == ([] if allowed else ["step_up_needed"])


def test_a_persons_own_settings_only_lower_what_the_role_has(staff):
    lower = judge(Asker("clerk", per_payout_fen=100_000, monthly_fen=150_000), 100_001, Counted(), staff, AT)
    higher = judge(Asker("clerk", per_payout_fen=900_000), 500_001, Counted(), staff, AT)
    manager = judge(Asker("regional_manager", per_payout_fen=1_000_000), 1_000_001, Counted(), staff, AT)
    assert codes(lower) == codes(manager) == ["above_tier"]
    assert codes(higher) == ["above_tier"]


@given(
    st.sampled_from([*LADDER[:3], "finance", "owner", ""]),
    st.lists(st.integers(1, 6_000_000), min_size=1, max_size=6),
)
def test_no_way_of_splitting_needs_fewer_approvers_than_the_whole(role, pieces):
    """P9, I-14: the last piece of a split needs the chain that the whole needs, whoever asks."""
    staff = policies.at(AT).staff
    *earlier, last = pieces
    split = judge(Asker(role), last, Counted(len(earlier), 0, before(*earlier)), staff, AT)
    whole = judge(Asker(role), sum(pieces), Counted(), staff, AT)
    assert split.chain == whole.chain
    assert split.aggregated_fen == sum(pieces)
    assert LADDER.index(covering(sum(pieces), staff)) >= LADDER.index(covering(last, staff))
