"""O5: one line per buyer, held and let go of across all stores that share; merchants see the decision alone."""

import pytest
from django.db import DatabaseError, connections, transaction

from houfu.buyers import queries
from houfu.buyers.actions import BadScore, ScoreReused
from houfu.buyers.tests.ground import CHANNEL, LINE_FEN, held, line, new_buyer, open_sharing, reasons, score_, sell
from houfu.history import queries as history
from houfu.history.actions import PLATFORM
from houfu.kernel import clock as clocks
from houfu.kernel import db as door
from houfu.kernel import isolation
from houfu.kernel.errors import Forbidden, NotFound
from houfu.merchants import actions as merchants
from houfu.orders import actions as orders
from houfu.testing.world import OPERATOR, WORKER, open_shop

pytestmark = pytest.mark.usefixtures("platform", "clock")


@pytest.mark.parametrize(
    ("score", "limit_fen"),
    [
        (10_000, 500_000),
        (700, 500_000),
        (699, 300_000),
        (650, 300_000),
        (600, 150_000),
        (550, 50_000),
        (549, 0),
        (0, 0),
    ],
)
def test_the_line_is_the_first_of_the_table_whose_score_is_reached(score, limit_fen):
    assert line(new_buyer(score)).limit_fen == limit_fen


def test_an_order_holds_its_buyers_line_in_all_stores_that_share():
    one, other, buyer = open_sharing(), open_sharing(), new_buyer(550)
    assert reasons(sell(one, (buyer, 30_000))) == [""]
    assert held(buyer) == 30_000
    assert reasons(sell(other, (buyer, 20_001), (buyer, 20_000), (buyer, 1))) == [
        "buyer_line_exceeded", "", "buyer_line_exceeded",
    ]  # fmt: skip
    assert held(buyer) == 50_000
    assert other.fen("q:own:held") == 20_000  # what was declined holds no limit either
    assert line(buyer).open_orders == 2


def test_an_order_without_a_buyer_or_of_a_buyer_without_a_line_is_decided_as_ever():
    shop, buyer, stranger = open_shop(), new_buyer(0), new_buyer(None)
    assert reasons(sell(shop, (None, 9_000), (stranger, 9_000))) == ["", ""]
    assert reasons(sell(open_sharing(), (buyer, 1))) == ["buyer_line_exceeded"]  # a line of nothing
    with pytest.raises(NotFound):
        line(stranger)


def test_a_process_that_has_not_heard_of_lines_learns_of_them_by_its_first_order_of_a_buyer():
    """Keys are only made where somebody has a line; the database says so, and the order is decided by it."""
    shop, buyer = open_sharing(), new_buyer(550)
    queries.expect_lines(False)
    assert queries.keys([buyer]) == []
    assert reasons(sell(shop, (None, 1))) == [""]  # an order without a buyer says nothing of lines
    assert queries.keys([buyer]) == []
    assert reasons(sell(shop, (buyer, 50_001), (buyer, 50_000))) == ["buyer_line_exceeded", ""]
    assert held(buyer) == 50_000
    assert len(queries.keys([buyer, None])) == 2


def test_orders_without_buyers_do_not_even_look_at_lines():
    """Nothing of the room of buyers is touched: it is locked away meanwhile."""
    shop = open_shop()
    with transaction.atomic(using="owner"), connections["owner"].cursor() as owner:
        owner.execute("LOCK TABLE buyers_line, buyers_hold, buyers_score IN ACCESS EXCLUSIVE MODE")
        assert reasons(sell(shop, (None, 9_000), (None, 10**12), (None, 1_000))) == ["", "limit_exceeded", ""]
        shop.placed = [shop.placed[0]]
        settled(shop, 9_000)


def test_the_same_id_at_another_channel_is_another_buyer():
    shop, buyer = open_sharing(), new_buyer(550)
    account = merchants.open_channel_account(
        by=OPERATOR, merchant_id=shop.merchant_id, channel="jd", principal=shop.principal
    )
    elsewhere = merchants.open_store(
        by=OPERATOR, merchant_id=shop.merchant_id, code="JD", name="京东店", channel_account_id=account.id
    )
    assert queries.digest(CHANNEL, buyer) != queries.digest("jd", buyer)
    assert reasons(sell(shop, (buyer, 50_001), (buyer, 50_001, elsewhere.id))) == [
        "buyer_line_exceeded", "limit_exceeded",
    ]  # fmt: skip


def test_a_store_that_does_not_share_refuses_lines_granted_elsewhere_and_takes_its_own():
    shop, stranger = open_shop(stores=2), open_sharing()
    own = {"merchant_id": shop.merchant_id, "store_id": shop.store}
    mine, platforms = new_buyer(550, **own), new_buyer(550)
    theirs = new_buyer(550, merchant_id=stranger.merchant_id, store_id=stranger.store)
    neighbour = shop.stores[1]
    said = reasons(sell(shop, (mine, 100), (platforms, 100), (theirs, 100), (mine, 100, neighbour)))
    assert said == ["", *["buyer_line_elsewhere"] * 3]
    assert [held(buyer) for buyer in (mine, platforms, theirs)] == [100, 0, 0]
    merchants.set_sharing(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store, sharing=True)
    assert reasons(sell(shop, (platforms, 100), (theirs, 100))) == ["", ""]
    assert reasons(sell(stranger, (mine, 49_900))) == [""]


def test_all_reasons_come_together():
    shop, buyer = open_sharing(own_limit_fen=1_000), new_buyer(550)
    assert reasons(sell(shop, (buyer, 50_001))) == ["buyer_line_exceeded,limit_exceeded"]
    merchants.set_sharing(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store, sharing=False)
    merchants.freeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store, reason="disputes")
    assert reasons(sell(shop, (buyer, 50_001))) == ["buyer_line_elsewhere,store_frozen,limit_exceeded"]
    assert held(buyer) == 0


def test_an_order_declined_for_its_limit_leaves_the_line_to_others_and_the_other_way_round():
    shop, buyer = open_sharing(own_limit_fen=60_000), new_buyer(550)
    said = reasons(sell(shop, (None, 40_000), (buyer, 45_000), (buyer, 50_001), (buyer, 20_000)))
    assert said == ["", "limit_exceeded", "buyer_line_exceeded,limit_exceeded", ""]
    assert (held(buyer), shop.fen("q:own:held")) == (20_000, 60_000)


def test_the_same_order_again_gets_its_first_answer_and_holds_nothing_more():
    shop, buyer = open_sharing(), new_buyer(550)
    first = sell(shop, (buyer, 30_000), (buyer, 30_000))
    again = sell(shop, (buyer, 30_000), (buyer, 30_000), ids=shop.placed)
    assert [d.state for d in again] == [d.state for d in first] == ["authorised", "declined"]
    assert (held(buyer), line(buyer).open_orders) == (30_000, 1)
    mixed = sell(shop, (buyer, 30_000), (buyer, 20_000), ids=[shop.placed[0], f"{shop.placed[0]}-2"])
    assert [(d.state, d.repeated) for d in mixed] == [("authorised", True), ("authorised", False)]
    assert held(buyer) == 50_000


# Let go of ------------------------------------------------------------------------------------------------------------


def cancelled(shop):
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps())


def expired(shop):
    orders.expire(by=WORKER, merchant_id=shop.merchant_id, steps=shop.steps())


def refunded(shop):
    orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(ref="R", amount_fen=30_000))


def settled(shop, fen=30_000):
    shop.receive()
    assert [found.outcome for found in shop.settle(dict.fromkeys(shop.placed, fen))] == ["booked"]


def settled_while_disputed(shop):
    shop.receive()
    orders.dispute(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(ref="C"))
    shop.settle(dict.fromkeys(shop.placed, 30_000))


def written_off(shop):
    shop.receive()
    orders.fall_due(by=WORKER, merchant_id=shop.merchant_id, steps=shop.steps())
    orders.write_off(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps())


@pytest.mark.parametrize("end", [cancelled, expired, refunded, settled, settled_while_disputed, written_off])
def test_the_line_is_let_go_of_however_the_orders_exposure_ends(end):
    shop, buyer = open_sharing(), new_buyer(550)
    sell(shop, (buyer, 30_000))
    end(shop)
    assert (held(buyer), line(buyer).open_orders) == (0, 0)
    assert reasons(sell(shop, (buyer, 50_000))) == [""]


def test_partial_refunds_let_go_to_the_fen_and_what_moves_no_exposure_lets_go_of_nothing():
    shop, buyer = open_sharing(), new_buyer(550)
    sell(shop, (buyer, 30_000))

    def refund(ref, fen):
        orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(ref=ref, amount_fen=fen))
        return held(buyer)

    assert refund("R1", 1) == 29_999
    assert refund("R1", 1) == 29_999  # the same refund again
    shop.receive()
    assert held(buyer) == 29_999
    assert refund("R2", 9_999) == 20_000
    shop.settle({shop.placed[0]: 20_000})
    assert held(buyer) == 0
    assert refund("R3", 5_000) == 0


def test_a_loan_that_own_limit_takes_over_leaves_the_line_alone():
    from houfu.limits import actions as limits

    shop, buyer = open_sharing(own_limit_fen=20_000), new_buyer(550)
    limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=20_000)
    sell(shop, (None, 20_000), (buyer, 15_000))
    plain, lent = shop.placed
    shop.receive()
    shop.settle({plain: 20_000})
    assert shop.fen("q:temp:drawn") == 0
    assert held(buyer) == 15_000
    shop.settle({lent: 15_000})
    assert held(buyer) == 0


# Scores ---------------------------------------------------------------------------------------------------------------


def test_a_lower_score_takes_nothing_away_that_is_held_and_lets_nothing_more_be_held():
    shop, buyer = open_sharing(), new_buyer(600)
    sell(shop, (buyer, 60_000), (buyer, 60_000))
    ids = list(shop.placed)
    now = score_(buyer, 550, later=60)
    assert (now.limit_fen, now.held_fen) == (50_000, 120_000)
    assert reasons(sell(shop, (buyer, 1))) == ["buyer_line_exceeded"]
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(ids[0]))
    assert (held(buyer), reasons(sell(shop, (buyer, 1)))) == (60_000, ["buyer_line_exceeded"])
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(ids[1]))
    assert reasons(sell(shop, (buyer, 50_001), (buyer, 50_000))) == ["buyer_line_exceeded", ""]


def test_the_latest_score_counts_whenever_it_is_heard_of():
    buyer = new_buyer(600, source="channel", ref="report/7")
    score_(buyer, 700, later=-60)
    found = line(buyer)
    assert found.limit_fen == LINE_FEN[600]
    assert [(s.score, s.source, s.ref, s.limit_fen) for s in found.scores] == [
        (600, "channel", "report/7", 150_000), (700, "platform", "", 500_000),
    ]  # fmt: skip


def test_the_same_score_again_changes_nothing_and_another_of_that_instant_is_refused():
    buyer = new_buyer(600)
    told = len(history.links(PLATFORM, limit=1000))
    assert score_(buyer, 600).limit_fen == 150_000
    assert len(history.links(PLATFORM, limit=1000)) == told
    for other in ({"score": 601}, {"score": 600, "ref": "x"}):
        with pytest.raises(ScoreReused):
            score_(buyer, **other)
    assert (line(buyer).limit_fen, len(line(buyer).scores)) == (150_000, 1)


@pytest.mark.parametrize(
    "what",
    [{"score": -1}, {"score": 1_000_001}, {"scored_at": clocks.shanghai(2030, 1, 1)}, {"source": "guess"},
     {"ref": "x" * 101}, {"merchant_id": 1}, {"store_id": 1}],
)  # fmt: skip
def test_a_score_that_cannot_be_is_refused(what):
    buyer = new_buyer(None)
    with pytest.raises(BadScore):
        score_(buyer, **{"score": 600, **what})
    with pytest.raises(NotFound):
        line(buyer)


def test_a_line_is_granted_by_a_store_that_is_there():
    with pytest.raises(NotFound):
        new_buyer(600, merchant_id=open_shop().merchant_id, store_id=10**9)


# Whom it is shown to --------------------------------------------------------------------------------------------------


def test_merchants_see_a_decision_and_nothing_of_the_line():
    shop, buyer = open_sharing(), new_buyer(550)
    sell(shop, (buyer, 12_345), (buyer, 47_655))
    told = [f"{link.verb} {link.subject} {link.detail}" for link in history.links(shop.merchant_id, limit=1000)]
    assert not [text for text in told if "buyer" in text or "50000" in text or "550" in text]
    with pytest.raises(Forbidden):
        queries.line(shop.owner, CHANNEL, buyer)
    with isolation.acting(shop.owner):
        for statement in (
            "SELECT * FROM buyers_line", "SELECT * FROM buyers_hold", "SELECT * FROM buyers_score",
            "UPDATE buyers_line SET limit_fen = 10^12", "SELECT * FROM buyers_look_v1('x')",
            "SELECT * FROM buyers_unknown_v1(now(), 1)", "SELECT buyers_platform_v1()",
            "SELECT * FROM buyers_stand_v1('{1}', '{1}', '{x}', '{1}', false)",
            "SELECT buyers_release_v1('{x}', '{1}', '{x}', '{0}')",
        ):  # fmt: skip
            with pytest.raises(DatabaseError) as refused:
                door.rows(statement)
            assert refused.value.__cause__.sqlstate == "42501", statement


def test_what_is_said_of_a_score_is_the_platforms_history():
    buyer = new_buyer(650)
    [link] = history.links(PLATFORM, subject=f"buyer/{queries.digest(CHANNEL, buyer).hex()}")
    assert link.verb == "buyer.scored"
    assert buyer not in link.detail


def test_the_database_has_no_buyers_id_beside_the_orders():
    buyer = new_buyer(650)
    found = door.rows(
        "SELECT 1 FROM history_link WHERE detail LIKE %s OR subject LIKE %s", [f'%{buyer}"%', f"%{buyer}"]
    )
    assert found == []


# A call of its own ----------------------------------------------------------------------------------------------------


def hold_alone(buyer, shop, order_id, fen, at):
    """Hold a line before the order is decided, as a coordinator of several nodes would."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("SET LOCAL ROLE houfu_engine")
        for _ in range(2):  # the same call again holds nothing more
            cursor.execute(
                "SELECT buyers_hold_v1(ARRAY[%s::bytea], ARRAY[%s::bigint], ARRAY[%s], ARRAY[%s::bigint], %s, false)",
                [queries.digest(CHANNEL, buyer), shop.merchant_id, order_id, fen, at],
            )


def test_what_was_held_for_an_order_that_never_came_or_was_refused_is_let_go_of(clock):
    """I-23: a crash between the hold and the decision leaves nothing stuck."""
    shop, buyer = open_sharing(own_limit_fen=10_000), new_buyer(550)
    sell(shop, (None, 10_001), ids=["refused"])
    sell(shop, (new_buyer(None), 700), ids=["taken"])
    for order_id, fen in (("lost", 20_000), ("refused", 10_001), ("taken", 700)):
        hold_alone(buyer, shop, order_id, fen, clocks.now())
    assert held(buyer) == 30_701
    assert orders.free_lines(by=WORKER) == 0  # it may be on its way
    clock.move(minutes=11)
    assert orders.free_lines(by=WORKER) == 2
    assert (held(buyer), orders.free_lines(by=WORKER)) == (700, 0)
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("taken"))
    assert held(buyer) == 0


def test_a_merchant_cannot_have_its_open_order_let_go_of():
    shop, other, buyer = open_sharing(), open_sharing(), new_buyer(550)
    sell(shop, (buyer, 30_000))
    free = "SELECT freed FROM orders_free_lines_v1(ARRAY[%s::bigint], %s)"
    with isolation.acting(shop.owner):
        assert door.rows(free, [shop.merchant_id, shop.placed])[0].freed == 0
    with isolation.acting(other.owner), pytest.raises(DatabaseError):
        door.rows(free, [shop.merchant_id, shop.placed])
    assert held(buyer) == 30_000
