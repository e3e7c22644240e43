"""I-03: whatever happens to limits, everything granted is somewhere, once, and exactly where a model has it.

`make campaign` runs more of it: HOUFU_HISTORIES histories, from HOUFU_SEED on.
"""

import hashlib
import os
from collections import Counter
from datetime import timedelta
from random import Random
from time import perf_counter

import pytest
from django.db import DatabaseError, transaction

from houfu.buyers import queries as buyers
from houfu.kernel import clock as clocks
from houfu.kernel import db, ids
from houfu.kernel.clock import shanghai
from houfu.kernel.errors import Refused
from houfu.ledger import actions as ledger
from houfu.ledger.actions import Account, Line
from houfu.limits import actions as limits
from houfu.limits import queries
from houfu.limits.tests import deeds, histories, lives
from houfu.limits.tests.histories import BILLED, Books, History, Member, Rule, moving, stepping
from houfu.merchants import actions as merchants
from houfu.orders import actions as orders
from houfu.orders.steps import Step
from houfu.people.actor import Actor
from houfu.testing.platforms import Platforms
from houfu.testing.plugin import own_database
from houfu.testing.world import OPERATOR, WORKER, open_shop
from houfu.verify import queries as verify

HISTORIES = int(os.environ.get("HOUFU_HISTORIES", "2000"))
SEED = int(os.environ.get("HOUFU_SEED", "1"))
STEPS = 50
BEGINS = shanghai(2025, 11, 25, 10)  # so that a month ends while it goes on
TICK = timedelta(hours=4, minutes=17)  # nine days in all: bands turn, loans fall due
# Pools are opened and filed in bulk here, unsigned: these two checks say so, and all others find nothing.
IN_BULK = {"i14_pools_were_signed_for", "i22_large_pools_are_filed"}


class World:
    """A merchant whose pools are histories, and how what is wished for is done to all of them at once."""

    def __init__(self, dice: Random, count: int) -> None:
        self.shop = open_shop(own_limit_fen=0)
        self.m, self.owner = self.shop.merchant_id, self.shop.owner
        self.books = Books()
        self.histories = self._open(dice, count)
        self._fill(owner=OPERATOR, dice=dice)
        for h in self.histories[: count // 6]:
            h.buyer = f"buyer{h.pool}"
            deeds.score(self, h, (700, clocks.now()))
            h.line = lives.LINES[700]
        for role in ("owner", "supervisor"):
            self.shop.signer(role)

    def _open(self, dice: Random, count: int) -> list[History]:
        """Open groups of two stores with a pool each, and a store of each on another platform, in bulk."""
        now, m, account = clocks.now(), self.m, self.shop.account_id
        other = merchants.open_channel_account(
            by=OPERATOR, merchant_id=m, channel="jd", principal=self.shop.principal
        ).id
        Platforms(self.shop, (account, other), 0, 0, self.shop.assistant).recognise()
        groups = db.rows(
            "INSERT INTO merchants_group (merchant_id, name, channel_account_id, size, created_at)"
            " SELECT %s, 'G' || n, %s, 2, %s FROM generate_series(1, %s) n RETURNING id",
            [m, account, now, count],
        )
        group_ids = [row.id for row in groups]
        stores = db.rows(
            "INSERT INTO merchants_store (merchant_id, code, name, channel_account_id, group_id, state, sharing,"
            " created_at) SELECT %s, 'H' || g || '-' || n, '店', %s, g, 'active', true, %s"
            " FROM unnest(%s::bigint[]) g, generate_series(1, 2) n RETURNING id, group_id",
            [m, account, now, group_ids],
        )
        shares = [dice.randint(1, 9) for _ in group_ids]
        filled = [dice.choice((0, dice.randint(1, 10_000_000), dice.randint(1, 120_000_000))) for _ in group_ids]
        pools = db.rows(
            "INSERT INTO limits_pool (merchant_id, group_id, share, limit_fen, granted_fen, state, opened_at,"
            " signed_at, document, digest) SELECT %s, g, share, fen, fen, 'active', %s, %s, '{}', %s"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) p (g, share, fen)"
            " RETURNING id, group_id, share, limit_fen",
            [m, now, now, hashlib.sha256(b"{}").hexdigest(), group_ids, shares, filled],
        )
        of: dict[int, list[int]] = {}
        for row in stores:
            of.setdefault(row.group_id, []).append(row.id)
        abroad = db.rows(
            "INSERT INTO merchants_store (merchant_id, code, name, channel_account_id, state, created_at)"
            " SELECT %s, 'A' || g, '店', %s, 'active', %s FROM unnest(%s::bigint[]) g RETURNING id",
            [m, other, now, group_ids],
        )
        found = [
            History(self.books, p.id, of[p.group_id], p.share, p.limit_fen, p.limit_fen, far.id)
            for p, far in zip(pools, abroad, strict=True)
        ]
        for n, h in enumerate(found):  # some are on probation that ends soon, or not in the pool yet
            ends_at = now + timedelta(hours=n % 200) if n % 4 == 1 else None
            h.members = {store: Member("probation" if ends_at else "active", 0, ends_at) for store in h.stores}
            if n % 4 == 2:
                del h.members[h.stores[1]]
        rows = [
            (store, h.pool, member.state, 1 if member.probation_until else None, member.probation_until)
            for h in found
            for store, member in h.members.items()
        ]
        db.rows(
            "INSERT INTO limits_member"
            " (merchant_id, store_id, pool_id, state, probation_share, probation_until, joined_at)"
            " SELECT %s, w.*, %s FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::smallint[],"
            " %s::timestamptz[]) w",
            [m, now, *map(list, zip(*rows, strict=True))],
        )
        self._begin_dynamic(dice.sample(found, len(found) // 2), dice)
        return found

    def _begin_dynamic(self, some: list[History], dice: Random) -> None:
        """Let some pools be dynamic from the beginning."""
        for h in some:
            h.dynamic = (dice.randint(0, max(h.limit, 1)), dice.randint(0, 20_000_000))
        pools = [h.pool for h in some]
        db.rows("UPDATE limits_pool SET dynamic = true WHERE merchant_id = %s AND id = ANY (%s)", [self.m, pools])
        db.rows(
            "INSERT INTO limits_dynamic"
            " (merchant_id, pool_id, valid_from, is_on, base_fen, floating_fen, auto_fen, set_by)"
            " SELECT %s, pool, %s, true, base, floating, 0, 'test'"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) p (pool, base, floating)",
            [self.m, clocks.now(), pools, *map(list, zip(*(h.dynamic for h in some), strict=True))],
        )

    @db.action
    def _fill(self, *, owner: Actor, dice: Random) -> None:
        """Grant what they begin with; half of the stores have nearly earned back some of a reduced limit (L2)."""
        lines = []
        for h in self.histories:
            lines.append((h.limit, "q:pool:free", h.pool))
            for store in (*h.stores, h.abroad):
                lines.append((dice.randint(0, 6_000_000), "q:own:free", store))
                if dice.random() < 0.5:
                    lines.append((dice.randint(0, 150_000), "q:reduced", store))
                    h.recovery[store] = (dice.randint(40, 49), 0)
        ledger.post(
            self.m, ids.new(), "limits.grant", clocks.now(),
            [Line(Account(kind, owner_), Account("q:grant:operator", 0), fen) for fen, kind, owner_ in lines],
        )  # fmt: skip
        for fen, kind, owner_ in lines:
            self.books.move(fen, histories.OPERATOR, (kind, owner_))
        rows = [(store, done) for h in self.histories for store, (done, _) in h.recovery.items()]
        db.rows(
            "INSERT INTO limits_recovery (merchant_id, store_id, completed)"
            " SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[])",
            [self.m, *map(list, zip(*rows, strict=True))],
        )

        self._lend(now=clocks.now())

    def _lend(self, *, now) -> None:
        """Let every third of the stores whose limit was reduced be where restoration is applied for (L3)."""
        reduced = [store for h in self.histories for store in h.recovery if store != h.abroad][::3]
        lent = db.rows(
            "INSERT INTO limits_loan (merchant_id, store_id, amount_fen, repaid_fen, state, opened_at, due_at)"
            " SELECT %s, s, %s, %s, 'repaid', %s, %s FROM unnest(%s::bigint[]) s RETURNING id, store_id",
            [self.m, lives.LENT, lives.LENT, now - timedelta(days=1), now + timedelta(days=6), reduced],
        )
        until = now + timedelta(days=5)
        begun = db.rows(
            "INSERT INTO limits_emergency (merchant_id, store_id, loan_id, state, needed, settled, begun_at,"
            " settle_until, opens_at, apply_until) SELECT %s, s, l, 'restoration_open', 3, 3, %s, %s, %s, %s"
            " FROM unnest(%s::bigint[], %s::bigint[]) w (s, l) RETURNING id, store_id",
            [
                self.m, now - timedelta(days=1), now, now - timedelta(hours=10), until,
                [row.store_id for row in lent], [row.id for row in lent],
            ],
        )  # fmt: skip
        of = {store: h for h in self.histories for store in h.stores}
        for row in begun:
            of[row.store_id].emergencies[row.store_id] = (row.id, until, False)

    def place(self, wishes):
        """Those that fit without tolerance and those that may not are told apart, so that both ways are gone."""
        batches = ([], [])
        for place, (h, (id_, store, fen, buyer)) in enumerate(wishes):
            reach = h.fen("own:free", store) + h.room(store, clocks.now()) + h.fen("temp:free", store)
            fits = fen <= reach and (not buyer or fen <= h.line - h.owed)
            batches[fits and id_.endswith(("0", "2", "4", "6", "8"))].append((place, id_, store, fen, buyer or None))
        found = [""] * len(wishes)
        for batch in batches:
            asked = [
                orders.NewOrder(self.m, id_, store, fen, clocks.now(), buyer) for _, id_, store, fen, buyer in batch
            ]
            for (place, *_), said in zip(batch, orders.authorise(by=self.owner, orders=asked), strict=True):
                legs = [said.own_fen, said.pool_fen, said.temp_fen, said.tolerance_fen]
                found[place] = ",".join(said.reasons) if said.state != "authorised" else legs
        return found

    def stepped(self, verb, **more):
        def perform(world, wishes):
            steps = [Step(id_, clocks.now()) for _, id_ in wishes]
            if verb is orders.settle:
                owed = [h.orders[id_].amount - h.orders[id_].refunded if id_ in h.orders else 1 for h, id_ in wishes]
                steps = [Step(s.order_id, s.at, amount_fen=fen) for s, fen in zip(steps, owed, strict=True)]
            outcomes = verb(by=WORKER, merchant_id=world.m, steps=steps, **more)
            return ["" if each.outcome == "done" else "refused" for each in outcomes]

        return perform

    def each(self, act):
        """Let one action be done for each wish, in one transaction for all; a refusal undoes that one alone."""

        @db.action
        def together(*, by, wishes):
            found = []
            for h, wish in wishes:
                try:
                    with transaction.atomic():
                        act(self, h, wish)
                    found.append("")
                except Refused as refusal:
                    found.append(refusal.code)
                except DatabaseError as error:
                    found.append(db.translated(error).code)
            return found

        return lambda world, wishes: together(by=OPERATOR, wishes=wishes)

    def balances(self):
        found = db.rows(
            "SELECT kind, owner, balance_fen FROM ledger_account WHERE merchant_id = %s AND unit = 'CNY.Q'"
            " AND balance_fen <> 0",
            [self.m],
            into=lambda kind, owner, fen: ((kind, owner), fen),
            binary=True,
        )
        return dict(found)


def refund(world, wishes):
    steps = [Step(id_, clocks.now(), ref=str(ids.new()), amount_fen=fen) for _, (id_, fen) in wishes]
    outcomes = orders.refund(by=WORKER, merchant_id=world.m, steps=steps)
    return ["" if each.outcome == "done" else "refused" for each in outcomes]


def at_store(verb, **more):
    def act(world, h, wish):
        verb(by=OPERATOR, merchant_id=world.m, store_id=wish[0], amount_fen=wish[1], **more)

    return act


def note(world, h, store):
    limits.note_tolerance(by=OPERATOR, merchant_id=world.m, store_id=store, note="大促备货")


def fill(world, h, fen):
    limits.grant_pool(by=OPERATOR, merchant_id=world.m, pool_id=h.pool, amount_fen=fen)


def switch(world, h, opens):
    verb = limits.unfreeze_pool if opens else limits.freeze_pool
    verb(by=OPERATOR, merchant_id=world.m, id=h.pool)


def file(world, wishes):
    db.rows(
        "UPDATE limits_pool SET filed_at = coalesce(filed_at, %s) WHERE merchant_id = %s AND id = ANY (%s)",
        [clocks.now(), world.m, [h.pool for h, _ in wishes]],
    )
    return [""] * len(wishes)


def set_dynamic(world, h, wish):
    limits.set_dynamic(by=OPERATOR, merchant_id=world.m, pool_id=h.pool, base_fen=wish[0], floating_fen=wish[1])


def stop(world, h, _):
    limits.stop_dynamic(by=OPERATOR, merchant_id=world.m, pool_id=h.pool)


def adjust(world, h, wish):
    fen, start, end = wish
    made = limits.propose(
        by=OPERATOR, merchant_id=world.m, pool_id=h.pool, kind="manual", amount_fen=fen, valid_from=start,
        valid_until=end, reason="调整", source={},
    )  # fmt: skip
    limits.accept_adjustment(by=OPERATOR, merchant_id=world.m, id=made.id)
    h.adjustments[made.id] = wish


def withdraw(world, h, id_):
    limits.withdraw_adjustment(by=OPERATOR, merchant_id=world.m, id=id_)


def band(world, h, bands):
    said = [
        {"name": str(n), "opens": f"{a:%H:%M}", "closes": f"{b:%H:%M}", "limit_fen": fen}
        for n, (a, b, fen) in enumerate(bands)
    ]
    made = limits.propose_bands(by=OPERATOR, merchant_id=world.m, pool_id=h.pool, bands=said, reason="时段", source={})
    limits.accept_bands(by=OPERATOR, merchant_id=world.m, id=made.id)
    h.bands = (made.id, bands)


def unband(world, h, id_):
    limits.withdraw_bands(by=OPERATOR, merchant_id=world.m, id=id_)


def rules(world: World) -> list[Rule]:
    """Everything that may happen. What other rooms add to limits is added here."""
    own = (lambda h, s: h.fen("own:free", s), lambda h, s: h.fen("own:free", s))
    numbers = iter(range(10**9))

    def wish_place(dice, h, now):
        return (f"{histories.NEW}{next(numbers):08}", *histories.wish_place(dice, h, now))

    def one_of_the_stores(dice, h, now):
        return dice.choice(h.stores)

    def nothing(dice, h, now):
        return None

    def is_dynamic(h):
        return h.dynamic is not None

    def is_adjusted(h):
        return bool(h.adjustments)

    def life(name, weight, verb, source, target, effect, **more):
        def ready(h):
            return any(order.state in source for order in h.orders.values())

        model = moving(source, target, effect)
        return Rule(name, weight, stepping(*source), model, world.stepped(verb, **more), ready)

    return [
        Rule("place", 400, wish_place, histories.model_place, World.place),
        life("ship", 130, orders.ship, ("authorised",), "shipped", lambda h, o: None),
        life("receive", 120, orders.receive, ("shipped",), "received", histories.receive),
        life("settle", 70, orders.settle, BILLED, "settled", histories.settle, settled_by="query"),
        life("cancel", 40, orders.cancel, ("authorised",), "cancelled", lambda h, o: h.release(o, o.legs)),
        life("expire", 20, orders.expire, ("authorised",), "expired", lambda h, o: h.release(o, o.legs)),
        life("fall_due", 25, orders.fall_due, ("received",), "overdue", lambda h, o: None),
        life("write_off", 20, orders.write_off, ("overdue",), "written_off", histories.write_off),
        Rule("refund", 60, histories.wish_refund, histories.model_refund, refund),
        Rule("grant", 2, histories.wish_store_amount(*own), histories.model_grant, world.each(at_store(limits.grant))),
        Rule(
            "reduce", 3, histories.wish_store_amount(*own), histories.model_reduce,
            world.each(at_store(limits.reduce, reason="风险")),
        ),
        Rule(
            "lend", 4, histories.wish_store_amount(lambda h, s: 500_000), histories.model_lend,
            world.each(at_store(limits.lend)),
        ),
        Rule("note", 2, one_of_the_stores, histories.model_note, world.each(note)),
        Rule("fill", 3, histories.wish_fill, histories.model_fill, world.each(fill)),
        Rule("switch", 3, lambda dice, h, now: dice.random() < 0.7, histories.model_switch, world.each(switch)),
        Rule("file", 4, nothing, histories.model_file, file),
        Rule("set_dynamic", 3, histories.wish_dynamic, histories.model_dynamic, world.each(set_dynamic)),
        Rule("stop_dynamic", 2, nothing, histories.model_stop, world.each(stop)),
        Rule("adjust", 4, histories.wish_adjust, histories.model_adjust, world.each(adjust), is_dynamic),
        Rule("withdraw", 3, histories.wish_withdraw, histories.model_withdraw, world.each(withdraw), is_adjusted, True),
        Rule("bands", 2, histories.wish_bands, histories.model_bands, world.each(band)),
        Rule(
            "unband", 2, lambda dice, h, now: h.bands[0] if h.bands and dice.random() < 0.7 else 10**12,
            histories.model_unband, world.each(unband), lambda h: bool(h.bands),
        ),
        *(Rule(*row) for row in deeds.known(world)),
    ]  # fmt: skip


ALWAYS_DONE = {"grant", "note", "file"}


@pytest.mark.slow
def test_everything_granted_is_somewhere_once_and_where_the_model_has_it(clock):
    """I-03, over every source and every move of limits."""
    clock.at = BEGINS
    with own_database() as url:
        live_through_it(clock, url)
        assert {each.check for each in verify.run().findings} <= IN_BULK


def live_through_it(clock, url):
    dice = Random(SEED)
    began = perf_counter()
    world = World(dice, HISTORIES)
    spent: Counter[str] = Counter({"open": perf_counter() - began})
    known = rules(world)
    weights = [rule.weight for rule in known]
    tally: Counter[tuple[str, bool]] = Counter()
    assert world.balances() == {account: fen for account, fen in world.books.fen.items() if fen}
    for _ in range(STEPS):
        clock.at += TICK
        deeds.let_time_pass(world, dice, tally)
        step(world, known, weights, dice, tally, spent)
        began = perf_counter()
        compare(world, url)
        spent["compare"] += perf_counter() - began
    print(f"\n{HISTORIES} histories of {STEPS} steps;", *(f"{name} {s:.1f} s" for name, s in spent.most_common(12)))  # noqa: T201
    fair(tally, known)
    look_at_some(world, dice)


def step(world, known, weights, dice, tally, spent):
    """Let one thing happen to every history, and hold the answers against the model's."""
    now = clocks.now()
    wishes = {rule.name: [] for rule in known}
    for h, rule in zip(world.histories, dice.choices(known, weights, k=len(world.histories)), strict=True):
        if not rule.ready(h) and (rule.strict or dice.random() < 0.94):
            rule = known[0]
        wishes[rule.name].append((h, rule.wish(dice, h, now)))
    for rule in known:
        if not (asked := wishes[rule.name]):
            continue
        began = perf_counter()
        answers = rule.perform(world, asked)
        spent[rule.name] += perf_counter() - began
        for (h, wish), answer in zip(asked, answers, strict=True):
            expected = rule.model(h, wish, now)
            if rule.name == "place" and not expected:
                expected = h.orders[wish[0]].legs
            assert answer == expected, (rule.name, wish, h)
            if h.buyer:  # what was owed beyond a lower line only ever comes down
                h.over = min(h.over, max(h.owed - h.line, 0))
            tally[rule.name, isinstance(answer, str) and answer != ""] += 1


def compare(world, url):
    stands = world.balances()
    expected = {account: fen for account, fen in world.books.fen.items() if fen}
    if stands != expected:
        accounts = [account for account in stands.keys() | expected if stands.get(account) != expected.get(account)]
        raise AssertionError([(account, stands.get(account), expected.get(account)) for account in accounts[:20]])
    assert sum(stands.values()) == 0
    assert all(fen > 0 for (kind, _), fen in stands.items() if not kind.startswith("q:grant"))
    for h in world.histories:
        used = sum(fen for o in h.orders.values() for fen in o.legs[1:2]) + h.fen("lost:pool", h.pool)
        assert h.free + used == h.limit
    owed = {buyers.digest(deeds.CHANNEL, h.buyer): (h.line, h.owed, h.over) for h in world.histories if h.buyer}
    assert {bytes(buyer): tuple(rest) for buyer, *rest in deeds.lines(url)} == owed
    assert all(held <= limit + over for limit, held, over in owed.values())


def fair(tally, known):
    """Every rule was done and refused often enough for the whole to say something."""
    counts = {name: (tally[name, False], tally[name, True]) for name, _ in tally}
    unfair = {
        name: (done, refused)
        for name, (done, refused) in counts.items()
        if done < 0.15 * (done + refused) or (name not in ALWAYS_DONE and refused < 0.05 * (done + refused))
    }
    assert unfair == {}, counts
    assert counts.keys() >= {rule.name for rule in known}
    done, refused = (sum(n for (_, said), n in tally.items() if said is no) for no in (False, True))
    assert 0.2 <= refused / (done + refused) <= 0.6, (done, refused)


def look_at_some(world, dice):
    """What is shown of pools and stores is what the model would give."""
    now = clocks.now()
    rooms = {each.pool_id: each for each in queries.snapshot(OPERATOR, world.m).pools}
    running = [h for h in world.histories if h.state in ("active", "frozen")]
    for h in dice.sample(running, min(20, len(running))):
        usable = max(h.limit - h.free, h.cap(now))
        assert (rooms[h.pool].usable_fen, rooms[h.pool].limit_fen) == (usable, h.limit)
        for store in h.stores:
            figures = queries.figures(OPERATOR, world.m, store)
            assert figures.pool_reach_fen == h.room(store, now)
