"""What is plain of a batch is settled and matured all at once, the rest order by order: the answers are the same."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.channels.port import Line
from houfu.kernel import clock as clocks
from houfu.kernel import db
from houfu.kernel.clock import business_day, now, shanghai
from houfu.limits import actions as limits
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.orders import queries
from houfu.orders.steps import Step
from houfu.policies.queries import NoPolicy
from houfu.reconciliation import actions as reconciliation
from houfu.reconciliation import queries as statements
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER, open_shop, pool

pytestmark = pytest.mark.usefixtures("platform", "clock")
# All that settling may move; %(stores)s tells the stores of a shop by their places.
ROWS = (
    """SELECT id, array_position(%(stores)s, store_id) AS store, pool_id IS NULL AS alone, state, state_before_dispute,
              open_own_fen, open_pool_fen, open_temp_fen, open_tolerance_fen, refunded_fen
       FROM orders_order WHERE merchant_id = %(merchant)s ORDER BY id""",
    """SELECT id, fee_fen, refunded_fen, disputed_fen, left_fen, settled_by, settled_at, matures_at, matured_at
       FROM orders_lot WHERE merchant_id = %(merchant)s ORDER BY id""",
    """SELECT order_id, verb, at, fen, fee_fen, own_fen, pool_fen, temp_fen, tolerance_fen, note
       FROM orders_event WHERE merchant_id = %(merchant)s ORDER BY order_id, verb, ref, fen""",
    """SELECT array_position(%(stores)s, store_id) AS store, completed, booked_fen
       FROM limits_recovery WHERE merchant_id = %(merchant)s ORDER BY 1""",
    "SELECT repaid_fen, state FROM limits_loan WHERE merchant_id = %(merchant)s",
    """SELECT e.debit, e.credit, sum(e.amount_fen) AS fen
       FROM (SELECT x.amount_fen, d.kind || coalesce(array_position(%(stores)s, d.owner), 0) AS debit,
                    c.kind || coalesce(array_position(%(stores)s, c.owner), 0) AS credit
             FROM ledger_entry x
             JOIN (SELECT a.merchant_id, a.id, a.kind, CASE k.owner WHEN 'store' THEN a.owner END AS owner
                   FROM ledger_account a JOIN ledger_kind k USING (kind)) d
                 ON (d.merchant_id, d.id) = (x.merchant_id, x.debit_id)
             JOIN (SELECT a.merchant_id, a.id, a.kind, CASE k.owner WHEN 'store' THEN a.owner END AS owner
                   FROM ledger_account a JOIN ledger_kind k USING (kind)) c
                 ON (c.merchant_id, c.id) = (x.merchant_id, x.credit_id)
             WHERE x.merchant_id = %(merchant)s) e
       GROUP BY 1, 2 ORDER BY 1, 2""",
)


@dataclass(frozen=True)
class Case:
    """An order, how far it has come when the channel credits it, and what the channel says."""

    store: int
    fen: int
    reached: str
    off_by: int
    fee_fen: int
    again: bool


CASES = st.builds(
    Case,
    store=st.integers(0, 2),
    fen=st.integers(2, 9_000),
    reached=st.sampled_from(
        ("received", "received", "received", "overdue", "disputed", "refunded", "manual", "shipped", "settled")
    ),
    off_by=st.sampled_from((0,) * 8 + (-1, 1)),
    fee_fen=st.sampled_from((1,) * 8 + (0, -1, 10_000)),
    again=st.sampled_from((False,) * 5 + (True,)),
)


def open_twin(days):
    """Open a shop whose first store has nearly earned back what its limit lost, and whose last is on a loan."""
    shop = open_shop(stores=3, own_limit_fen=4_000, maturity_days=days)
    pool(shop, share=1, grant_fen=20_000)
    first = {"by": OPERATOR, "merchant_id": shop.merchant_id, "store_id": shop.store, "amount_fen": 60_000}
    limits.grant(**first)
    limits.reduce(**first, reason="逾期")
    db.rows("UPDATE limits_recovery SET completed = 49 WHERE merchant_id = %s", [shop.merchant_id])
    limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.stores[2], amount_fen=15_000)
    return shop


def bring(shop, cases):
    """Bring orders as far as their cases say, and return what the channel says of each."""
    names = [f"O{place}" for place in range(len(cases))]
    shop.place_in([(shop.stores[case.store], case.fen) for case in cases], names)
    said = []
    for name, case in zip(names, cases, strict=True):
        one = {"merchant_id": shop.merchant_id, "steps": shop.steps(name, ref="R", amount_fen=case.fen // 2)}
        owed = case.fen - (case.fen // 2 if case.reached == "refunded" else 0)
        orders.ship(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(name))
        if case.reached == "manual":
            for person in (shop.owner, shop.assistant):
                orders.receive(by=person, merchant_id=shop.merchant_id, steps=shop.steps(name, evidence="manual"))
        elif case.reached != "shipped":
            orders.receive(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(name))
        if case.reached == "overdue":
            orders.fall_due(by=WORKER, **one)
        elif case.reached == "disputed":
            orders.dispute(by=shop.owner, **one)
        elif case.reached == "refunded":
            orders.refund(by=shop.owner, **one)
        elif case.reached == "settled":
            shop.settle_by_query({name: owed})
        step = Step(name, now() + timedelta(hours=case.store), amount_fen=owed + case.off_by, fee_fen=case.fee_fen)
        said += [step, step] if case.again else [step]
    return [*said, Step("NOBODYS", now(), amount_fen=1)]


def everything(shop):
    """Return all that settling may move: rows, and what went from one account to another."""
    return [
        db.rows(rows, {"merchant": shop.merchant_id, "stores": shop.stores}, into=lambda *row: row) for rows in ROWS
    ]


def keep_lines(shop, steps, outcomes):
    """Let the statement have the lines by which orders were settled; the books are compared with it in the end."""
    done = {step.order_id: step for step, each in zip(steps, outcomes, strict=True) if each.outcome == "done"}
    for step in done.values():
        db.rows(
            "INSERT INTO reconciliation_line VALUES (%s, %s, %s, %s, 'settlement', %s, %s, %s, %s, 'booked', '')",
            [
                shop.merchant_id, shop.account_id, business_day(step.at), f"L{step.order_id}", step.order_id,
                step.amount_fen, step.fee_fen, step.at,
            ],
        )  # fmt: skip


def told(outcomes):
    return [(each.order_id, each.outcome, each.code) for each in outcomes]


@settings(max_examples=12, deadline=None)
@given(
    cases=st.lists(CASES, min_size=2, max_size=10), days=st.sampled_from((None, 0, 3)),
    settled_by=st.sampled_from(("statement", "query")),
)  # fmt: skip
def test_both_ways_give_the_same_answers(cases, days, settled_by):
    """A step that is said twice is not plain, so a batch that is said twice goes order by order."""
    one, other = open_twin(days), open_twin(days)
    said = bring(one, cases)
    assert bring(other, cases) == said
    found, twice = (
        orders.settle(by=WORKER, merchant_id=shop.merchant_id, steps=steps, settled_by=settled_by)
        for shop, steps in ((one, said), (other, said + said))
    )
    assert told(found) == told(twice)[: len(said)]
    assert everything(one) == everything(other)
    if settled_by == "statement":
        for shop in (one, other):
            keep_lines(shop, said, found)

    later = [Step(step.order_id, now() + timedelta(days=2)) for step in said]
    found, twice = (
        orders.mature(by=WORKER, merchant_id=shop.merchant_id, steps=steps)
        for shop, steps in ((one, later), (other, later + later))
    )
    assert told(found) == told(twice)[: len(said)]
    assert everything(one) == everything(other)


def received(*amounts_fen):
    shop = open_shop(stores=2)
    shop.place_in(
        [(shop.stores[n % 2], fen) for n, fen in enumerate(amounts_fen)], [f"O{n}" for n in range(len(amounts_fen))]
    )
    shop.receive()
    return shop


def settle(shop, *steps):
    found = orders.settle(by=WORKER, merchant_id=shop.merchant_id, steps=steps, settled_by="query")
    return [each.code or each.outcome for each in found]


def test_what_is_refused_leaves_the_plain_ones_alone_and_is_not_moved():
    shop = received(5_000, 6_000, 7_000)
    lot = queries.lot(shop.merchant_id, "O1")
    steps = [
        Step(id, now(), amount_fen=fen) for id, fen in (("O0", 5_000), ("O1", 6_001), ("NOBODYS", 1), ("O2", 7_000))
    ]
    assert settle(shop, *steps) == ["done", "settlement_amount_differs", "order_unknown", "done"]
    assert queries.lot(shop.merchant_id, "O1") == lot
    assert [queries.order(shop.merchant_id, f"O{n}").state for n in range(3)] == ["settled", "received", "settled"]
    assert (shop.fen("ar:buyer"), shop.fen("ar:buyer", shop.stores[1])) == (0, 6_000)
    assert shop.fen("cash:channel", shop.account_id) == 12_000


def test_a_batch_that_is_refused_as_a_whole_moves_nothing():
    shop = received(5_000, 6_000)
    before = everything(shop)
    steps = [Step("O0", now(), amount_fen=5_000), Step("O1", shanghai(1999, 12, 31), amount_fen=6_000)]
    with pytest.raises(NoPolicy):
        settle(shop, *steps)
    assert everything(shop) == before


def test_a_batch_that_is_said_again_is_the_same():
    shop = received(5_000, 6_000)
    steps = [Step(f"O{n}", now(), amount_fen=5_000 + n * 1_000, fee_fen=10) for n in range(2)]
    assert settle(shop, *steps) == ["done", "done"]
    settled = everything(shop)
    assert settle(shop, *steps) == ["same", "same"]
    assert settle(shop, steps[0], Step("O1", now(), amount_fen=1)) == ["same", "order_event_reused"]
    assert everything(shop) == settled


def test_money_matures_by_the_policy_of_its_own_day():
    """O4: each step by the pack that is in force at its instant, whatever else is in its batch."""
    shop = received(5_000, 6_000)
    days = [business_day(now()), business_day(now()) + timedelta(days=3)]
    steps = [Step(f"O{n}", clocks.start_of(day), amount_fen=5_000 + n * 1_000) for n, day in enumerate(days)]
    assert settle(shop, *steps) == ["done", "done"]
    assert [business_day(queries.lot(shop.merchant_id, f"O{n}").matures_at) for n in range(2)] == [
        day + timedelta(days=1) for day in days
    ]


def test_two_that_take_in_one_statement_at_once_book_it_once():
    shop = received(*[1_000] * 12)
    account = merchants.channel_account(shop.merchant_id, shop.account_id)
    lines = [Line(f"L{n}", "settlement", f"O{n}", 1_000, 10, now()) for n in range(12)]
    lines.append(Line("L-NOBODYS", "settlement", "NOBODYS", 1_000, 10, now()))
    found = in_threads(
        lambda _: reconciliation.book(by=WORKER, account=account, day=business_day(now()), lines=lines), range(4)
    )
    assert all({finding.code for finding in each.values()} <= {"", "order_unknown"} for each in found)
    assert shop.fen("cash:channel", shop.account_id) == 12 * 990
    assert shop.fen("claim:settled") + shop.fen("claim:settled", shop.stores[1]) == 12 * 990
    assert len(statements.breaks(shop.owner, shop.merchant_id)) == 1
    assert sum(event.verb == "settled" for n in range(12) for event in queries.events(shop.merchant_id, f"O{n}")) == 12


def test_both_parts_of_a_batch_are_sealed_and_posted():
    shop = received(5_000, 6_000)
    orders.dispute(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("O1", ref="R"))
    assert settle(shop, *(Step(f"O{n}", now(), amount_fen=5_000 + n * 1_000) for n in range(2))) == ["done", "done"]
    links = db.rows(
        "SELECT l.detail, t.id FROM history_link l JOIN ledger_transfer t"
        " ON t.merchant_id = l.merchant_id AND 'batch/' || t.id = l.subject AND t.unit = 'CNY'"
        " WHERE l.merchant_id = %s AND l.verb = 'orders.settled'",
        [shop.merchant_id],
    )
    assert [link.detail for link in links] == ['{"rows":1}'] * 2


def test_the_plans_of_money_functions_are_pinned():
    """Statistics of a growing table must not change them under load."""
    pins = ["plan_cache_mode=force_generic_plan", "enable_seqscan=off", "enable_bitmapscan=off"]
    pinned = {row.proname for row in db.rows("SELECT proname FROM pg_proc WHERE proconfig @> %s", [pins])}
    assert pinned >= {"ledger_lock_v1", "ledger_open_v1", "ledger_post_v1", "limits_plan_v1", "orders_authorise_v1"}
    assert pinned >= {"orders_settle_v1", "orders_mature_v1"}


def test_accounts_and_heads_are_found_along_their_keys_however_small_their_tables_were_at_first():
    """A plan that reads a whole table of six rows would go on to read it when it has a million."""
    pins = ["enable_hashjoin=off", "enable_mergejoin=off", "enable_material=off"]
    pinned = {row.proname for row in db.rows("SELECT proname FROM pg_proc WHERE proconfig @> %s", [pins])}
    assert pinned >= {"ledger_post_v1", "history_append_v1"}


def test_no_plan_is_compiled():
    """It took PostgreSQL 15 a tenth of a second for each call, as pinned plans look dear to it."""
    assert db.rows("SELECT current_setting('jit') AS jit")[0].jit == "off"
