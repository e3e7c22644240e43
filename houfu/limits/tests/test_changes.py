"""What somebody else signs first: another ratio (G8), a reach beyond it and a move between stores (G9)."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.limits import actions as limits
from houfu.limits import pool_queries, queries, tasks
from houfu.limits.models import Change, Member, Pool
from houfu.orders import actions as orders
from houfu.orders.actions import NewOrder
from houfu.people.models import Staff
from houfu.testing.plugin import MONDAY_TEN
from houfu.testing.threads import in_threads
from houfu.testing.world import WORKER, open_shop, pool

pytestmark = pytest.mark.usefixtures("db")


def propose(shop, what, pool_id, **said):
    deed = {"share": limits.propose_share, "reach": limits.propose_reach, "move": limits.propose_move}[what]
    return deed(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id, reason="旺季备货", **said)


def follow(shop, change):
    return limits.follow_change(by=WORKER, merchant_id=shop.merchant_id, id=change.id)


def agree(shop, change):
    shop.agree(f"limit_change/{change.id}")
    return follow(shop, change)


def share(shop, pool_id):
    return Pool.objects.get(merchant_id=shop.merchant_id, id=pool_id).share


def codes(refusal):
    return sorted(reason.code for reason in refusal.value.reasons)


def seen(shop):
    return (
        shop.books(),
        list(Pool.objects.filter(merchant_id=shop.merchant_id).values()),
        list(Member.objects.filter(merchant_id=shop.merchant_id).order_by("id").values()),
        list(Change.objects.filter(merchant_id=shop.merchant_id).order_by("id").values()),
    )


def test_another_ratio_holds_from_the_legal_representatives_signature_on(clock):
    """G8."""
    shop = open_shop(own_limit_fen=10_000)
    pool_id = pool(shop, share=1, grant_fen=100_000)
    change = propose(shop, "share", pool_id, share=3)
    request = approval_queries.latest(shop.merchant_id, f"limit_change/{change.id}")
    said = pool_queries.read(request.payload)
    assert (request.chain, said["share_before"], said["share"]) == (["owner"], 1, 3)
    assert (request.payload, pool_queries.written(said)[1]) == (change.document, change.digest)
    assert (follow(shop, change), share(shop, pool_id)) == ("proposed", 1)
    assert shop.place(20_001)[0].state == "declined"
    clock.move(hours=1)
    assert (agree(shop, change), share(shop, pool_id)) == ("effective", 3)
    assert shop.place(40_000)[0].pool_fen == 30_000
    found = Pool.objects.get(merchant_id=shop.merchant_id, id=pool_id)
    assert pool_queries.share_at(found, clock.now() - timedelta(microseconds=1)) == 1
    assert pool_queries.share_at(found, clock.now()) == 3


def test_a_ratio_that_is_signed_early_waits_for_its_instant(clock):
    """G8: and is proven once more in the transaction that makes it effective."""
    shop = open_shop(own_limit_fen=10_000)
    pool_id = pool(shop, share=1, grant_fen=100_000)
    at = clock.now() + timedelta(days=9)
    change = propose(shop, "share", pool_id, share=2, effective_at=at)
    assert (agree(shop, change), share(shop, pool_id)) == ("signed", 1)
    clock.move(days=9, microseconds=-1)
    tasks.tend(WORKER)
    assert (follow(shop, change), share(shop, pool_id)) == ("signed", 1)
    clock.move(microseconds=1)
    tasks.tend(WORKER)
    assert share(shop, pool_id) == 2


def test_a_signature_whose_role_is_lost_meanwhile_changes_nothing(clock):
    """I-14."""
    shop = open_shop(own_limit_fen=10_000)
    pool_id = pool(shop, share=1, grant_fen=100_000)
    change = propose(shop, "share", pool_id, share=2, effective_at=clock.now() + timedelta(days=1))
    assert agree(shop, change) == "signed"
    Staff.objects.filter(merchant_id=shop.merchant_id, id=shop.owner.staff_id).update(role="auditor")
    clock.move(days=1)
    assert (follow(shop, change), share(shop, pool_id)) == ("rejected", 1)
    assert "signer_lost_role" in Change.objects.get(merchant_id=shop.merchant_id, id=change.id).note


def test_a_ratio_that_nobody_signs_is_rejected_and_another_may_be_proposed(clock):
    shop = open_shop()
    pool_id = pool(shop, share=1)
    change = propose(shop, "share", pool_id, share=2)
    before = seen(shop)
    with pytest.raises(limits.ChangeUnderWay):
        propose(shop, "share", pool_id, share=3)
    with pytest.raises(limits.ChangeRefused) as same:
        propose(shop, "share", pool_id, share=1)
    assert codes(same) == ["share_unchanged"]
    with pytest.raises(limits.BadShare):
        propose(shop, "share", pool_id, share=10)
    assert seen(shop) == before
    clock.move(days=3)
    while approvals.lapse(by=WORKER):  # others wait here too, and each round has its share
        pass
    assert (follow(shop, change), share(shop, pool_id)) == ("rejected", 1)
    assert agree(shop, propose(shop, "share", pool_id, share=3)) == "effective"


def test_the_database_lets_nothing_take_effect_unsigned():
    """G8."""
    shop = open_shop()
    change = propose(shop, "share", pool(shop, share=1), share=2)
    for law, values in (
        ("limits_change_signed_first", "state = 'effective', took_effect_at = now() + interval '1 year'"),
        ("limits_change_signed_first", "state = 'signed'"),
    ):
        with pytest.raises(IntegrityError, match=law), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE limits_change SET {values} WHERE merchant_id = %s AND id = %s", [shop.merchant_id, change.id]
            )


def test_a_lower_ratio_leaves_what_is_drawn_and_gives_no_more():
    shop = open_shop(own_limit_fen=10_000)
    pool_id = pool(shop, share=3, grant_fen=100_000)
    first = shop.place(35_000)[0]
    assert agree(shop, propose(shop, "share", pool_id, share=1)) == "effective"
    figures = queries.figures(shop.owner, shop.merchant_id, shop.store)
    assert (figures.pool_used_fen, figures.pool_reach_fen) == (25_000, 0)
    assert shop.place(1)[0].state == "declined"
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(first.id))
    assert [each.state for each in shop.place(20_001, 20_000)] == ["declined", "authorised"]


def test_a_draw_beyond_the_ratio_needs_a_second_person_and_ends(clock):
    """G9: the reach is exact to its end, in one order and over several, on both ways of deciding."""
    shop = open_shop(own_limit_fen=10_000)
    pool_id = pool(shop, share=1, grant_fen=100_000)
    ends_at = clock.now() + timedelta(hours=2)
    change = propose(shop, "reach", pool_id, store_id=shop.store, amount_fen=5_000, ends_at=ends_at)
    request = approval_queries.latest(shop.merchant_id, f"limit_change/{change.id}")
    assert (request.chain, request.person) == (["supervisor"], shop.assistant.person)
    assert shop.place(20_001)[0].state == "declined"
    assert agree(shop, change) == "effective"
    assert queries.figures(shop.owner, shop.merchant_id, shop.store).pool_reach_fen == 15_000
    assert [each.pool_fen for each in shop.place(20_001, 4_999, 1)] == [10_001, 4_999, 0]
    last = shop.placed[1]
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(last))
    clock.move(hours=2)
    batch = [NewOrder(shop.merchant_id, f"late-{shop.store}-{n}", shop.store, 1, at) for n, at in enumerate(
        (ends_at - timedelta(microseconds=1), ends_at)
    )]  # fmt: skip
    assert [each.state for each in orders.authorise(by=shop.owner, orders=batch)] == ["authorised", "declined"]
    tasks.tend(WORKER)
    assert Member.present.get(merchant_id=shop.merchant_id, store_id=shop.store).extra_fen == 0
    assert queries.figures(shop.owner, shop.merchant_id, shop.store).pool_reach_fen == 0


def test_every_reason_against_a_reach_comes_at_once(clock):
    shop = open_shop(stores=2)
    pool_id = pool(shop, grant_fen=1_000)
    limits.suspend_member(
        by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id, store_id=shop.store, reason="盘点"
    )
    limits.freeze_pool(by=shop.owner, merchant_id=shop.merchant_id, id=pool_id)
    before = seen(shop)
    with pytest.raises(limits.ChangeRefused) as refused:
        propose(shop, "reach", pool_id, store_id=shop.store, amount_fen=1_001, ends_at=clock.now())
    assert codes(refused) == ["ends_too_early", "pool_not_active", "reach_beyond_pool", "store_not_member"]
    assert seen(shop) == before


def test_own_limit_moves_between_stores_by_a_second_persons_confirmation():
    """G9: what is not in use, within the group."""
    shop = open_shop(stores=2, own_limit_fen=10_000)
    pool_id = pool(shop)
    a, b = shop.stores
    shop.place(4_000)
    change = propose(shop, "move", pool_id, store_id=a, to_store_id=b, amount_fen=6_000)
    assert (shop.fen("q:own:free", a), shop.fen("q:own:free", b)) == (6_000, 10_000)
    assert agree(shop, change) == "effective"
    assert (shop.fen("q:own:free", a), shop.fen("q:own:free", b)) == (0, 16_000)
    assert follow(shop, change) == "effective"
    assert shop.fen("q:own:free", b) == 16_000


def test_a_move_of_what_is_in_use_by_then_is_rejected():
    shop = open_shop(stores=2, own_limit_fen=10_000)
    pool_id = pool(shop)
    a, b = shop.stores
    change = propose(shop, "move", pool_id, store_id=a, to_store_id=b, amount_fen=6_000)
    shop.place(4_001)
    books = shop.books()
    assert agree(shop, change) == "rejected"
    assert shop.books() == books
    elsewhere = open_shop(stores=1)
    before = seen(shop)
    with pytest.raises(limits.ChangeRefused) as refused:
        propose(shop, "move", pool_id, store_id=a, to_store_id=elsewhere.store, amount_fen=6_000)
    assert codes(refused) == ["own_limit_in_use", "store_not_in_group"]
    with pytest.raises(limits.ChangeRefused) as same:
        propose(shop, "move", pool_id, store_id=a, to_store_id=a, amount_fen=1)
    assert codes(same) == ["same_store"]
    with pytest.raises(limits.BadReason):
        limits.propose_share(by=shop.owner, merchant_id=shop.merchant_id, pool_id=pool_id, share=2, reason="x")
    assert seen(shop) == before


def test_whoever_proposes_does_not_confirm_not_even_under_another_account():
    """G9, I-14."""
    shop = open_shop(stores=2)
    pool_id = pool(shop)
    supervisor = shop.hire("supervisor", identity="330106199001015678")
    same = shop.hire("regional_manager", identity="330106199001015678")
    change = limits.propose_move(
        by=same,
        merchant_id=shop.merchant_id,
        pool_id=pool_id,
        store_id=shop.stores[0],
        to_store_id=shop.stores[1],
        amount_fen=1,
        reason="跨店调货",
    )
    request = approval_queries.latest(shop.merchant_id, f"limit_change/{change.id}")
    shown = approval_queries.challenge(supervisor, shop.merchant_id, request.id)
    assert [reason.code for reason in shown.reasons] == ["own_request"]


def test_a_ratio_that_falls_while_orders_are_decided_is_kept_by_every_order_after_it():
    """G8, I-03: each order is decided by one ratio, the one before or the one after, whatever comes between."""
    shop = open_shop(own_limit_fen=1_000)
    pool_id = pool(shop, share=9, grant_fen=100_000)
    shop.place(1_000)
    change = propose(shop, "share", pool_id, share=1)
    shop.agree(f"limit_change/{change.id}")

    def deed(n):
        if n == 0:
            return follow(shop, change)
        return orders.authorise(
            by=shop.owner, orders=[NewOrder(shop.merchant_id, f"R{shop.store}-{n}", shop.store, 400, MONDAY_TEN)]
        )[0]

    outcomes = in_threads(deed, range(8))
    assert outcomes[0] == "effective"
    assert Counter(type(each).__name__ for each in outcomes[1:]) == {"Decision": 7}
    taken = sum(each.pool_fen for each in outcomes[1:])
    drawn = shop.fen("q:pool:held")
    assert (drawn, drawn + shop.fen("q:pool:free", pool_id)) == (taken, 100_000)
    after = orders.authorise(
        by=shop.owner, orders=[NewOrder(shop.merchant_id, f"R{shop.store}-x", shop.store, 1_001, MONDAY_TEN)]
    )[0]
    assert after.state == "declined"


def test_two_workers_let_a_change_take_effect_once():
    shop = open_shop(stores=2, own_limit_fen=10_000)
    pool_id = pool(shop)
    change = propose(shop, "move", pool_id, store_id=shop.stores[0], to_store_id=shop.stores[1], amount_fen=1_000)
    shop.agree(f"limit_change/{change.id}")
    assert in_threads(lambda _: follow(shop, change), range(4)) == ["effective"] * 4
    assert shop.fen("q:own:free", shop.stores[1]) == 11_000
