"""Pools: signed for by the legal representative, joined by stores that share, frozen, wound down (G1–G7)."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houfu.approvals import actions as approvals
from houfu.approvals import queries as approval_queries
from houfu.history import queries as history
from houfu.kernel import db
from houfu.kernel.errors import Forbidden, IllegalMove, NotFound, Refused
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account, InsufficientBalance
from houfu.limits import actions as limits
from houfu.limits import pool_queries, pooling, queries, tasks
from houfu.limits.models import Member, Pool
from houfu.merchants import actions as merchants
from houfu.merchants.models import Merchant
from houfu.orders import actions as orders
from houfu.testing.plugin import MONDAY_TEN
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, WORKER, open_shop, pool, share_on, sign_pool

pytestmark = pytest.mark.usefixtures("db")


def form_group(shop, *store_ids):
    made = merchants.form_group(
        by=shop.owner, merchant_id=shop.merchant_id, name="华东", channel_account_id=shop.account_id,
        store_ids=store_ids or shop.stores,
    )  # fmt: skip
    return made.id


def draw_up(shop, *, share=2):
    share_on(shop)
    return limits.open_pool(by=shop.assistant, merchant_id=shop.merchant_id, group_id=form_group(shop), share=share).id


def join(shop, pool_id, store_id, contribution_fen=0):
    return limits.join_pool(
        by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id, store_id=store_id,
        contribution_fen=contribution_fen,
    )  # fmt: skip


def leave(shop, pool_id, store_id):
    limits.leave_pool(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id, store_id=store_id)


def state(shop, pool_id):
    return Pool.objects.get(merchant_id=shop.merchant_id, id=pool_id).state


def members(shop):
    return {m.store_id: m.state for m in Member.present.filter(merchant_id=shop.merchant_id)}


def seen(shop):
    """Everything about pools that could have moved."""
    return (
        shop.books(),
        list(Pool.objects.filter(merchant_id=shop.merchant_id).order_by("id").values()),
        list(Member.objects.filter(merchant_id=shop.merchant_id).order_by("id").values()),
    )


def codes(refusal):
    return sorted(reason.code for reason in refusal.value.reasons)


def in_use(shop, store_id):
    return queries.figures(shop.owner, shop.merchant_id, store_id).pool_used_fen


def test_a_pool_runs_once_its_legal_representative_has_signed():
    """G2: over group, code, principal, share and members, with a digest; nobody draws before."""
    shop = open_shop(stores=2, own_limit_fen=100_000)
    pool_id = draw_up(shop)
    for store_id in shop.stores:
        join(shop, pool_id, store_id, 10_000)
    assert (state(shop, pool_id), set(members(shop).values())) == ("draft", {"invited"})
    assert shop.place(95_000)[0].state == "declined"
    limits.ask_signature(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id)
    assert (state(shop, pool_id), set(members(shop).values())) == ("awaiting_signature", {"verified"})
    assert shop.place(95_000)[0].state == "declined"

    request = approval_queries.latest(shop.merchant_id, f"pool/{pool_id}")
    asked = Pool.objects.get(merchant_id=shop.merchant_id, id=pool_id)
    said = pool_queries.read(request.payload)
    merchant = Merchant.objects.get(merchant_id=shop.merchant_id)
    assert (request.chain, said["uscc"], said["principal"], said["share"]) == (
        ["owner"],
        merchant.uscc,
        shop.principal,
        2,
    )
    assert [(each["store_id"], each["contribution_fen"]) for each in said["members"]] == [
        (store_id, 10_000) for store_id in shop.stores
    ]
    assert (request.payload, pool_queries.written(said)[1]) == (asked.document, asked.digest)

    shop.agree(f"pool/{pool_id}")
    tasks.tend(WORKER)
    assert (state(shop, pool_id), set(members(shop).values())) == ("active", {"active"})
    assert shop.place(95_000)[0].pool_fen == 5_000
    told = [link.verb for link in history.links(shop.merchant_id, subject=f"pool/{pool_id}")]
    assert told[0:2] == ["pool.activated", "pool.signature_asked"]


def test_who_asks_does_not_sign_and_no_signature_makes_it_a_draft_again():
    shop = open_shop(stores=1)
    pool_id = draw_up(shop)
    join(shop, pool_id, shop.store)
    limits.ask_signature(by=shop.owner, merchant_id=shop.merchant_id, pool_id=pool_id)
    request = approval_queries.latest(shop.merchant_id, f"pool/{pool_id}")
    shown = approval_queries.challenge(shop.owner, shop.merchant_id, request.id)
    assert [reason.code for reason in shown.reasons] == ["own_request"]
    approvals.withdraw(by=shop.owner, merchant_id=shop.merchant_id, id=request.id)
    assert limits.follow_signature(by=WORKER, merchant_id=shop.merchant_id, pool_id=pool_id) == "draft"
    assert members(shop) == {shop.store: "invited"}
    assert sign_pool(shop, pool_id) == "active"
    assert Pool.objects.get(merchant_id=shop.merchant_id, id=pool_id).version == 2


def test_what_changed_after_the_signature_was_not_signed_for():
    """I-14: a store that was renamed, or shares no more, is not what the legal representative saw."""
    shop = open_shop(stores=2)
    pool_id = draw_up(shop)
    for store_id in shop.stores:
        join(shop, pool_id, store_id)
    for change in ("UPDATE merchants_store SET name = '别家' WHERE merchant_id = %s", None):
        limits.ask_signature(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id)
        shop.agree(f"pool/{pool_id}")
        if change:
            db.rows(change, [shop.merchant_id])
        else:
            merchants.set_sharing(by=shop.owner, merchant_id=shop.merchant_id, id=shop.store, sharing=False)
        assert limits.follow_signature(by=WORKER, merchant_id=shop.merchant_id, pool_id=pool_id) == "draft"


def test_every_reason_against_a_member_comes_at_once():
    """G1, G2."""
    shop = open_shop(stores=3)
    group_id = form_group(shop, *shop.stores[:2])
    pool_id = limits.open_pool(by=shop.assistant, merchant_id=shop.merchant_id, group_id=group_id, share=1).id
    merchants.freeze_store(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.stores[2], reason="disputes")
    Merchant.objects.filter(merchant_id=shop.merchant_id).update(uscc_verified_at=None)
    before = seen(shop)
    with pytest.raises(limits.JoinRefused) as refused:
        join(shop, pool_id, shop.stores[2], 1_000)
    assert codes(refused) == ["sharing_off", "store_frozen", "store_not_in_group", "uscc_not_verified"]
    merchants.verify(by=OPERATOR, merchant_id=shop.merchant_id, document="营业执照")
    share_on(shop, shop.store)
    with pytest.raises(limits.PoolRefused) as empty:
        limits.ask_signature(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id)
    assert codes(empty) == ["pool_empty"]
    assert seen(shop) == before
    join(shop, pool_id, shop.store)
    before = seen(shop)
    with pytest.raises(limits.JoinRefused) as again:
        join(shop, pool_id, shop.store)
    assert codes(again) == ["member_already"]
    with pytest.raises(limits.PoolExists):
        limits.open_pool(by=shop.assistant, merchant_id=shop.merchant_id, group_id=group_id, share=1)
    assert seen(shop) == before


@pytest.mark.parametrize("share", [0, 10])
def test_a_ratio_lies_between_one_to_one_and_one_to_nine(share):
    """G5."""
    shop = open_shop()
    group_id = form_group(shop)
    with pytest.raises(limits.BadShare):
        limits.open_pool(by=shop.owner, merchant_id=shop.merchant_id, group_id=group_id, share=share)
    assert Pool.objects.filter(merchant_id=shop.merchant_id).count() == 0


def test_who_joins_a_running_pool_draws_less_while_on_probation(clock):
    """Thirty days long one time its own limit, then as the others do."""
    shop = open_shop(stores=2, own_limit_fen=10_000)
    founder, late = shop.stores
    share_on(shop)
    group_id = form_group(shop)
    pool_id = limits.open_pool(by=shop.assistant, merchant_id=shop.merchant_id, group_id=group_id, share=3).id
    join(shop, pool_id, founder)
    sign_pool(shop, pool_id)
    limits.grant_pool(by=OPERATOR, merchant_id=shop.merchant_id, pool_id=pool_id, amount_fen=500_000)
    join(shop, pool_id, late)
    assert members(shop) == {founder: "active", late: "probation"}
    assert queries.figures(shop.owner, shop.merchant_id, late).pool_reach_fen == 10_000
    assert [each.state for each in shop.place(20_001, 20_000, store=late)] == ["declined", "authorised"]
    assert shop.place(40_000, store=founder)[0].state == "authorised"
    clock.move(days=30, seconds=-1)
    tasks.tend(WORKER)
    assert members(shop)[late] == "probation"
    clock.move(seconds=1)
    tasks.tend(WORKER)
    assert members(shop)[late] == "active"
    assert [each.pool_fen for each in shop.place(20_001, 20_000, store=late)] == [0, 20_000]


def test_a_suspended_member_draws_nothing_and_comes_back_to_its_probation(clock):
    shop = open_shop(stores=2, own_limit_fen=10_000)
    pool_id = pool(shop, share=2, grant_fen=100_000)
    at = {"by": shop.assistant, "merchant_id": shop.merchant_id, "pool_id": pool_id, "store_id": shop.store}
    limits.suspend_member(**at, reason="盘点")
    assert [each.state for each in shop.place(10_001, 10_000)] == ["declined", "authorised"]
    assert shop.place(15_000, store=shop.stores[1])[0].pool_fen == 5_000
    with pytest.raises(IllegalMove):
        limits.suspend_member(**at, reason="盘点")
    limits.resume_member(**at)
    assert shop.place(10_001)[0].pool_fen == 10_001
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps())
    leave(shop, pool_id, shop.store)
    join(shop, pool_id, shop.store)
    limits.suspend_member(**at, reason="盘点")
    limits.resume_member(**at)
    assert members(shop)[shop.store] == "probation"
    limits.suspend_member(**at, reason="盘点")
    clock.move(days=30)
    limits.resume_member(**at)
    assert members(shop)[shop.store] == "active"


def test_sharing_switched_off_stops_draws_at_once():
    """G1."""
    shop = open_shop(own_limit_fen=10_000)
    pool(shop, grant_fen=50_000)
    merchants.set_sharing(by=shop.owner, merchant_id=shop.merchant_id, id=shop.store, sharing=False)
    assert queries.figures(shop.owner, shop.merchant_id, shop.store).pool_reach_fen == 0
    assert shop.place(10_001)[0].state == "declined"
    share_on(shop)
    assert shop.place(10_001)[0].pool_fen == 1


def test_a_store_leaves_without_open_draws_and_takes_along_what_it_put_in():
    shop = open_shop(stores=2, own_limit_fen=100_000)
    pool_id = pool(shop, share=1, grant_fen=10_000, contribution_fen=20_000)
    shop.place(90_000)
    before = seen(shop)
    with pytest.raises(limits.StillDrawn):
        leave(shop, pool_id, shop.store)
    assert seen(shop) == before
    drawn = shop.place(80_000 + 35_000, store=shop.stores[1])[0]
    assert drawn.pool_fen == 35_000
    leaver = shop.place_in([(shop.store, 1)], ["own-1"])[0]
    assert leaver.pool_fen == 1
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("own-1"))
    first = ledger_orders(shop, shop.store)
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(*first))
    before = seen(shop)
    with pytest.raises(InsufficientBalance):
        leave(shop, pool_id, shop.store)  # 15,000 are free, 20,000 are its own
    assert seen(shop) == before
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(drawn.id))
    leave(shop, pool_id, shop.store)
    assert (shop.fen("q:own:free"), shop.fen("q:pool:free", pool_id)) == (100_000, 30_000)
    assert Pool.objects.get(merchant_id=shop.merchant_id, id=pool_id).limit_fen == 30_000
    assert members(shop) == {shop.stores[1]: "active"}


def ledger_orders(shop, store_id):
    rows = db.rows(
        "SELECT id FROM orders_order WHERE merchant_id = %s AND store_id = %s AND state = 'authorised'",
        [shop.merchant_id, store_id],
    )
    return [row.id for row in rows]


def test_what_the_platform_froze_the_platform_unfreezes():
    shop = open_shop(own_limit_fen=1_000)
    pool_id = pool(shop, grant_fen=10_000)
    at = {"merchant_id": shop.merchant_id, "id": pool_id}
    limits.freeze_pool(by=shop.owner, **at)
    limits.unfreeze_pool(by=shop.owner, **at)
    limits.freeze_pool(by=OPERATOR, **at)
    before = seen(shop)
    for deed in (
        lambda: limits.unfreeze_pool(by=shop.owner, **at),
        lambda: limits.wind_down(by=shop.owner, merchant_id=shop.merchant_id, pool_id=pool_id),
    ):
        with pytest.raises(limits.FrozenByPlatform):
            deed()
    assert seen(shop) == before
    assert shop.place(1_001)[0].state == "declined"
    limits.unfreeze_pool(by=OPERATOR, **at)
    assert shop.place(1_001)[0].pool_fen == 1_001 - 1_000


def test_a_pool_that_winds_down_closes_when_nothing_is_drawn_and_gives_everything_back():
    shop = open_shop(stores=2, own_limit_fen=100_000)
    pool_id = pool(shop, share=1, grant_fen=50_000, contribution_fen=10_000)
    shop.place(100_000)
    limits.wind_down(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id)
    assert state(shop, pool_id) == "winding_down"
    assert shop.place(95_000, store=shop.stores[1])[0].state == "declined"
    before = seen(shop)
    for deed in (
        lambda: limits.grant_pool(by=OPERATOR, merchant_id=shop.merchant_id, pool_id=pool_id, amount_fen=1),
        lambda: join(shop, pool_id, shop.store),
        lambda: leave(shop, pool_id, shop.stores[1]),
    ):
        with pytest.raises(limits.PoolNotOpen):
            deed()
    tasks.tend(WORKER)
    assert seen(shop) == before
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(*ledger_orders(shop, shop.store)))
    tasks.tend(WORKER)
    assert (state(shop, pool_id), members(shop)) == ("closed", {})
    assert [shop.fen("q:own:free", store_id) for store_id in shop.stores] == [100_000, 100_000]
    assert (shop.fen("q:pool:free", pool_id), shop.books()[Account("q:grant:operator", 0)]) == (0, -200_000)
    assert pool(shop_again(shop), share=1) != pool_id  # a group may have another pool then


def shop_again(shop):
    """The same shop with its stores in a group of their own: theirs is there already."""
    db.rows("UPDATE merchants_store SET group_id = NULL WHERE merchant_id = %s", [shop.merchant_id])
    db.rows("UPDATE merchants_group SET size = 0 WHERE merchant_id = %s", [shop.merchant_id])
    return shop


def test_a_draft_that_comes_to_nothing_gives_everything_back():
    shop = open_shop(own_limit_fen=10_000)
    pool_id = draw_up(shop)
    join(shop, pool_id, shop.store, 4_000)
    limits.ask_signature(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id)
    limits.wind_down(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id)
    assert (state(shop, pool_id), shop.fen("q:own:free")) == ("closed", 10_000)
    assert approval_queries.latest(shop.merchant_id, f"pool/{pool_id}").state == "void"


def test_the_operators_grant_bears_a_loss_before_the_members_do():
    shop = open_shop(stores=2, own_limit_fen=100_000)
    pool_id = pool(shop, share=1, grant_fen=5_000, contribution_fen=10_000)
    shop.place(90_000 + 8_001)
    shop.receive()
    late = shop.steps()
    orders.fall_due(by=shop.owner, merchant_id=shop.merchant_id, steps=late)
    orders.write_off(by=shop.owner, merchant_id=shop.merchant_id, steps=late)
    limits.wind_down(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id)
    assert [shop.fen("q:own:free", store_id) for store_id in shop.stores] == [8_499, 98_500]
    assert shop.fen("q:lost:pool", pool_id) == Pool.objects.get(merchant_id=shop.merchant_id, id=pool_id).limit_fen


@given(
    st.dictionaries(st.integers(1, 20), st.integers(0, 10**12), max_size=10),
    st.integers(0, 10**12),
    st.integers(0, 1000),
)
def test_whatever_is_lost_what_goes_back_adds_up(contributed, granted_fen, lost_permille):
    """I-04."""
    whole_fen = sum(contributed.values()) + granted_fen
    free_fen = whole_fen - whole_fen * lost_permille // 1000
    back = pooling.giving_back(free_fen, contributed, granted_fen)
    assert sum(back.members.values()) + back.granted_fen == free_fen
    assert all(0 <= fen <= contributed[store] for store, fen in back.members.items())
    assert 0 <= back.granted_fen <= granted_fen
    assert back.granted_fen == 0 or list(back.members.items()) == sorted(contributed.items())


def test_only_who_may_change_limits_of_the_whole_merchant_does(clock):
    shop, stranger = open_shop(), open_shop()
    pool_id = pool(shop)
    before = seen(shop)
    for by, error in (
        (shop.hire("clerk"), Forbidden),
        (shop.hire("auditor"), Forbidden),
        (shop.hire("store_manager"), Forbidden),
        (stranger.owner, NotFound),
    ):
        at = {"by": by, "merchant_id": shop.merchant_id, "pool_id": pool_id}
        for deed in (
            lambda at=at: limits.wind_down(**at),
            lambda at=at: limits.leave_pool(**at, store_id=shop.store),
            lambda at=at: limits.suspend_member(**at, store_id=shop.store, reason="x"),
        ):
            with pytest.raises(error):
                deed()
    assert seen(shop) == before


steps = st.lists(
    st.tuples(
        st.sampled_from(["place", "cancel", "join", "leave", "suspend", "resume", "grant", "write_off", "wind_down"]),
        st.integers(0, 2),
        st.integers(1, 40_000),
    ),
    min_size=5,
    max_size=30,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps)
def test_a_pool_holds_what_was_put_in_whatever_happens_to_its_members(clock, script):
    """I-03: contributions and grants add up to what the pool holds, and all quota adds up to nothing."""
    shop = open_shop(stores=3, own_limit_fen=50_000)
    pool_id = pool(shop, share=2, grant_fen=60_000, contribution_fen=5_000)
    m = {"merchant_id": shop.merchant_id}
    ids = []
    for what, n, fen in script:
        store = shop.stores[n]
        at = {"by": shop.assistant, **m, "pool_id": pool_id, "store_id": store}
        try:
            if what == "place":
                ids += [each.id for each in shop.place(fen, store=store) if each.state == "authorised"]
            elif what == "cancel" and ids:
                orders.cancel(by=shop.owner, **m, steps=shop.steps(ids[fen % len(ids)]))
            elif what == "join":
                limits.join_pool(**at, contribution_fen=fen)
            elif what == "leave":
                limits.leave_pool(**at)
            elif what == "suspend":
                limits.suspend_member(**at, reason="盘点")
            elif what == "resume":
                limits.resume_member(**at)
            elif what == "grant":
                limits.grant_pool(by=OPERATOR, **m, pool_id=pool_id, amount_fen=fen)
            elif what == "write_off" and ids:
                order = ids[fen % len(ids)]
                shop.receive(order)
                orders.fall_due(by=shop.owner, **m, steps=shop.steps(order))
                orders.write_off(by=shop.owner, **m, steps=shop.steps(order))
            elif what == "wind_down" and n == fen % 3:
                limits.wind_down(by=shop.assistant, **m, pool_id=pool_id)
        except Refused:
            pass
        limits.close_pool(by=WORKER, **m, pool_id=pool_id)
        stands = ledger.balances(shop.merchant_id)
        found = Pool.objects.get(**m, id=pool_id)
        put_in_fen = sum(each.contributed_fen for each in queries.members(shop.merchant_id, pool_id))
        assert sum(fen for account, fen in stands.items() if account.kind.startswith("q:")) == 0
        assert found.state == "closed" or found.limit_fen == found.granted_fen + put_in_fen
        for store_id in shop.stores:
            figures = queries.figures(shop.owner, shop.merchant_id, store_id)
            assert figures.pool_used_fen == 0 or figures.pool_id == pool_id


def test_a_store_joins_one_of_two_pools_at_once():
    shop = open_shop(stores=1)
    pool_id = draw_up(shop)
    outcomes = in_threads(lambda _: join(shop, pool_id, shop.store, 1_000), range(6))
    assert Counter(type(each).__name__ for each in outcomes) == {"Member": 1, "JoinRefused": 5}
    assert shop.fen("q:pool:free", pool_id) == 1_000


def test_two_stores_that_want_the_tenth_place_do_not_both_get_it():
    """G3, I-21."""
    shop = open_shop(stores=12, own_limit_fen=1_000)
    share_on(shop)
    group_id = form_group(shop, *shop.stores[:9])
    pool_id = limits.open_pool(by=shop.assistant, merchant_id=shop.merchant_id, group_id=group_id, share=1).id
    for store_id in shop.stores[:9]:
        join(shop, pool_id, store_id)

    def come(store_id):
        merchants.join_group(by=shop.owner, merchant_id=shop.merchant_id, group_id=group_id, store_id=store_id)
        return join(shop, pool_id, store_id)

    outcomes = in_threads(come, shop.stores[9:])
    assert Counter(type(each).__name__ for each in outcomes) == {"Member": 1, "GroupFull": 2}
    assert len(queries.members(shop.merchant_id, pool_id)) == 10


def test_a_store_does_not_leave_while_it_draws():
    """Leave, draw and suspend at once, twelve times over: nobody who has left stands on the pool."""
    shop = open_shop(stores=2, own_limit_fen=10_000)
    pool_id = pool(shop, share=9, grant_fen=100_000, contribution_fen=1_000)
    shop.place(9_000)
    for turn in range(6):

        def leaves(_):
            leave(shop, pool_id, shop.store)

        def draws(n, turn=turn):
            return orders.authorise(
                by=shop.owner, orders=[orders.NewOrder(shop.merchant_id, f"T{turn}-{n}", shop.store, 500, MONDAY_TEN)]
            )[0]

        outcomes = in_threads(lambda n: leaves(n) if n == 0 else draws(n), range(4))
        gone = shop.store not in members(shop)
        drawn = [each for each in outcomes[1:] if each.state == "authorised"]
        assert gone or all(each.pool_fen == 500 for each in drawn)
        assert not (gone and in_use(shop, shop.store))
        if drawn:
            ids = [each.id for each in drawn]
            orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(*ids))
        if gone:
            join(shop, pool_id, shop.store, 1_000)
            trusted = "UPDATE limits_member SET probation_share = 9 WHERE merchant_id = %s AND state = 'probation'"
            db.rows(trusted, [shop.merchant_id])
        assert shop.fen("q:pool:free", pool_id) == 102_000
