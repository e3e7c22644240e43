"""What settles is divided exactly, and only between those who may get parts of it (L8, I-04)."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houfu.approvals import queries as approvals
from houfu.channels.port import Verdict
from houfu.kernel import clock as clocks
from houfu.kernel import db as database
from houfu.merchants import actions as merchants
from houfu.orders import actions as orders
from houfu.splits import actions as splits
from houfu.splits import queries, rules
from houfu.splits.actions.dividing import BadShare, RuleProposed, RuleRefused
from houfu.splits.models import Rule
from houfu.splits.rules import Wanted
from houfu.splits.tests.ground import Chain
from houfu.testing.world import OPERATOR, WORKER

pytestmark = pytest.mark.usefixtures("db")


def test_supplier_and_carrier_get_their_parts_and_the_store_the_rest(chain):
    mill, sf = chain.party(), chain.party("carrier")
    chain.rule(Wanted(mill.id, permille=600), Wanted(sf.id, fixed_fen=1_500))
    order_id = chain.sell(100_000, fee_fen=600)
    said = chain.division(order_id)
    assert (said.net_fen, said.split_fen, said.kept_fen, said.kept_for) == (99_400, 61_140, 38_260, [])
    assert chain.parts(order_id) == [(mill.id, 59_640, "owed"), (sf.id, 1_500, "owed")]
    assert (chain.fen("claim:settled"), chain.fen("payable:party", mill.id), chain.fen("payable:party", sf.id)) == (
        38_260, 59_640, 1_500,
    )  # fmt: skip
    assert chain.lot(order_id).left_fen == 38_260
    chain.mature()
    assert chain.fen("claim:matured") == 38_260


def test_what_is_split_off_cannot_be_paid_out_too(chain):
    """W2: a lot's allocations stay within its net of refunds and splits."""
    chain.rule(Wanted(chain.party().id, permille=600))
    chain.sell(100_000)
    chain.mature()
    payout = chain.shop.ask(26_000)
    assert payout.state == "scheduled"
    assert chain.fen("claim:matured") == 14_000


@pytest.mark.parametrize(
    ("shares", "reasons"),
    [
        ([901], ["beyond_policy_cap", "beyond_channel_cap"]),
        ([450, 451], ["beyond_policy_cap", "beyond_channel_cap"]),
        ([900], []),
    ],
)
def test_shares_stay_within_ninety_percent(chain, shares, reasons):
    parties = [chain.party(), chain.party("carrier")]
    wanted = [Wanted(party.id, permille=permille) for party, permille in zip(parties, shares, strict=False)]
    if reasons:
        with pytest.raises(RuleRefused) as refused:
            chain.propose(*wanted)
        assert [reason.code for reason in refused.value.reasons] == reasons
        assert not Rule.objects.filter(merchant_id=chain.m).exists()
    else:
        assert chain.propose(*wanted).state == "proposed"


def test_the_channels_own_cap_counts_where_it_is_smaller():
    chain = Chain(cap_permille=300)
    mill = chain.party()
    with pytest.raises(RuleRefused) as refused:
        chain.propose(Wanted(mill.id, permille=301))
    assert [(r.code, r.figures["most"]) for r in refused.value.reasons] == [("beyond_channel_cap", 300)]
    chain.rule(Wanted(mill.id, permille=300))
    splits.note_cap(by=WORKER, account=chain.account, permille=200)
    order_id = chain.sell(100_000)
    said = chain.division(order_id)
    assert (said.split_fen, said.kept_for) == (0, [f"party/{mill.id}:beyond_cap"])


def test_before_the_channel_has_said_its_cap_no_rule_is_proposed():
    chain = Chain(cap_permille=None)
    with pytest.raises(RuleRefused) as refused:
        chain.propose(Wanted(chain.party().id, permille=1))
    assert [reason.code for reason in refused.value.reasons] == ["cap_unknown"]


def test_every_reason_against_a_rule_comes_at_once(chain):
    raw = chain.register()
    loose = chain.confirm(chain.register("carrier", "carrier@road.example"))
    over = chain.party("carrier", "old@road.example", valid_until=clocks.business_day(clocks.now()) - timedelta(days=1))
    with pytest.raises(RuleRefused) as refused:
        chain.propose(Wanted(raw.id, permille=500), Wanted(loose.id, permille=300), Wanted(over.id, permille=200))
    assert [reason.code for reason in refused.value.reasons] == [
        "party_not_confirmed", "party_unbound", "contract_expired", "beyond_policy_cap", "beyond_channel_cap",
    ]  # fmt: skip


def test_whoever_proposed_a_rule_does_not_agree_to_it(chain):
    mill = chain.party()
    proposed = splits.propose(
        by=chain.shop.owner, merchant_id=chain.m, store_id=chain.shop.store, shares=[Wanted(mill.id, permille=1)]
    )
    request = approvals.latest(chain.m, f"split_rule/{proposed.id}")
    assert request.person == chain.shop.owner.person
    assert request.chain == ["legal"]
    assert splits.follow_agreement(by=WORKER, merchant_id=chain.m, id=proposed.id) == "proposed"
    order_id = chain.sell(10_000)
    assert chain.parts(order_id) == []


def test_one_rule_waits_at_a_time_and_a_party_has_one_share(chain):
    mill = chain.party()
    with pytest.raises(BadShare):
        chain.propose(Wanted(mill.id, permille=1), Wanted(mill.id, fixed_fen=1))
    with pytest.raises(BadShare):
        chain.propose(Wanted(mill.id))
    first = chain.propose(Wanted(mill.id, permille=1))
    with pytest.raises(RuleProposed):
        chain.propose(Wanted(mill.id, permille=2))
    splits.call_off(by=chain.finance, merchant_id=chain.m, id=first.id)
    assert chain.propose(Wanted(mill.id, permille=2)).state == "proposed"


def test_a_rule_begins_at_its_instant_and_the_latest_holds(chain):
    mill = chain.party()
    chain.rule(Wanted(mill.id, permille=100))
    chain.rule(Wanted(mill.id, permille=500), not_before=clocks.now() + timedelta(minutes=1))
    assert chain.division(chain.sell(10_000)).split_fen == 1_000


def test_a_later_rule_takes_over_and_an_empty_one_ends_the_splitting(chain, clock):
    mill = chain.party()
    chain.rule(Wanted(mill.id, permille=100))
    clock.move(minutes=1)
    chain.rule(Wanted(mill.id, permille=500))
    assert chain.division(chain.sell(10_000)).split_fen == 5_000
    clock.move(minutes=1)
    chain.rule()
    order_id = chain.sell(10_000)
    assert chain.parts(order_id) == []
    assert chain.fen("claim:settled") == 15_000


def owe(chain, order_id):
    """Let both parties keep their parts of an order when it is refunded, so that the store owes them (O7)."""
    chain.send(order_id, Verdict.PAID, Verdict.PAID)
    chain.refund(order_id, 1_000)
    for back in chain.recall(order_id):
        chain.come_back(back, Verdict.DENIED)


@pytest.mark.parametrize("broken", ["expired", "unbound", "revoked", "frozen", "deficit", "disputed"])
def test_where_something_is_missing_the_money_stays_the_stores(chain, clock, broken):
    mill, sf = chain.party(), chain.party("carrier")
    chain.rule(Wanted(mill.id, permille=600), Wanted(sf.id, permille=100))
    whole = {"frozen": "store_not_active", "deficit": "store_in_deficit", "disputed": "order_disputed"}
    one = {"expired": "contract_expired", "unbound": "party_unbound", "revoked": "party_not_confirmed"}
    if broken == "expired":
        clock.move(days=56)
        splits.renew(
            by=chain.finance, merchant_id=chain.m, id=sf.id, contract="HT-2026",
            valid_from=clocks.business_day(clocks.now()),
            valid_until=clocks.business_day(clocks.now()),
        )  # fmt: skip
        chain.confirm(sf)
    if broken == "unbound":
        splits.release(by=chain.finance, merchant_id=chain.m, id=mill.id, channel_account_id=chain.shop.account_id)
    if broken == "revoked":
        splits.revoke(by=chain.finance, merchant_id=chain.m, id=mill.id)
    if broken == "deficit":
        chain.sell(10_000)  # so that the channel has what it refunds
        owe(chain, chain.sell(1_000))
        assert chain.fen("deficit") == 700
    chain.shop.place(100_000)
    (order_id,) = chain.shop.placed
    chain.shop.receive(order_id)
    if broken == "frozen":
        merchants.freeze_store(by=OPERATOR, merchant_id=chain.m, id=chain.shop.store, reason="disputes")
    if broken == "disputed":
        orders.dispute(by=chain.shop.owner, merchant_id=chain.m, steps=chain.shop.steps(order_id, ref="D1"))
    chain.shop.settle({order_id: 100_000})
    said = chain.division(order_id)
    if broken in whole:
        assert (said.split_fen, said.kept_for) == (0, [whole[broken]])
        assert chain.parts(order_id) == []
    else:
        assert said.kept_for == [f"party/{mill.id}:{one[broken]}"]
        assert chain.parts(order_id) == [(sf.id, 10_000, "owed")]
    assert said.split_fen + said.kept_fen == 100_000


def test_a_fixed_share_that_does_not_fit_under_the_cap_stays_the_stores(chain):
    mill, sf = chain.party(), chain.party("carrier")
    chain.rule(Wanted(mill.id, permille=600), Wanted(sf.id, fixed_fen=1_500))
    order_id = chain.sell(4_990)
    assert chain.parts(order_id) == [(mill.id, 2_994, "owed")]
    assert chain.division(order_id).kept_for == [f"party/{sf.id}:beyond_cap"]


def test_one_call_names_five_receivers_at_most(chain):
    parties = [chain.party("supplier", f"mill{n}@mill.example") for n in range(7)]
    chain.rule(*(Wanted(party.id, permille=100) for party in parties))
    order_id = chain.sell(10_000)
    calls = queries.splits_of(chain.m, order_id)
    assert [len(queries.parts(chain.m, [call.id])) for call in calls] == [5, 2]
    assert sum(fen for _, fen, _ in chain.parts(order_id)) == 7_000


def test_an_order_that_is_credited_twice_is_divided_once(chain):
    chain.rule(Wanted(chain.party().id, permille=500))
    order_id = chain.sell(10_000)
    before = chain.shop.books()
    assert chain.shop.settle({order_id: 10_000})[0].code == "line_repeated"
    chain.shop.settle_by_query({order_id: 10_000})
    assert chain.shop.books() == before


def test_a_whole_batch_is_divided_at_once(chain):
    mill = chain.party()
    chain.rule(Wanted(mill.id, permille=333))
    shop = chain.shop
    shop.place(*range(1_000, 1_050))
    amounts = dict(zip(shop.placed, range(1_000, 1_050), strict=True))
    shop.receive(*amounts)
    shop.settle(amounts)
    divisions = [chain.division(order_id) for order_id in amounts]
    assert [d.split_fen for d in divisions] == [fen * 333 // 1000 for fen in amounts.values()]
    assert len({d.batch for d in divisions}) == 1
    assert chain.fen("payable:party", mill.id) == sum(d.split_fen for d in divisions)


SHARES = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 300), st.none()), st.tuples(st.none(), st.integers(1, 10**6)),
    ), min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nets=st.lists(st.tuples(st.integers(0, 10**13), SHARES), min_size=1, max_size=5))
def test_parts_are_exact(nets):
    """I-04: together shares get their sum per mille rounded down, each its own rounded down or one fen more."""
    of, permilles, fixeds = [], [], []
    for n, (_, shares) in enumerate(nets, 1):
        for permille, fixed in shares:
            of.append(n), permilles.append(permille), fixeds.append(fixed)
    found = database.rows(
        "SELECT * FROM splits_shares_v1(%s::bigint[], %s::integer[], %s::integer[], %s::bigint[])",
        [[net for net, _ in nets], of, permilles, fixeds],
    )
    for n, (net, _) in enumerate(nets, 1):
        mine = [(row.fen, p, f) for row, o, p, f in zip(found, of, permilles, fixeds, strict=True) if o == n]
        assert all(fen == fixed for fen, _, fixed in mine if fixed is not None)
        rated = [(fen, permille) for fen, permille, _ in mine if permille is not None]
        assert sum(fen for fen, _ in rated) == net * sum(permille for _, permille in rated) // 1000
        assert all(fen - net * permille // 1000 in (0, 1) for fen, permille in rated)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(weights=st.lists(st.integers(0, 10**12), min_size=1, max_size=8).filter(any), share=st.fractions(0, 1))
def test_a_refund_is_spread_exactly_and_nobody_is_asked_for_more_than_they_have(weights, share):
    total = int(sum(weights) * share)
    parts = rules.spread(total, weights)
    assert sum(parts) == total
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))
