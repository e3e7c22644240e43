"""A merchant on an ordinary Monday, with every kind of row that a page shows, and people who can sign in."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from houfu.imports import work as imports
from houfu.jobs import actions as jobs
from houfu.jobs import exports, runner
from houfu.kernel import clock as clocks
from houfu.limits import actions as limits
from houfu.merchants import queries as merchants
from houfu.orders import actions as orders
from houfu.payouts import actions as payouts
from houfu.people import actions as people
from houfu.people.actions import Settings
from houfu.people.actor import operator, system
from houfu.risk import actions as risk
from houfu.risk import queries as risk_queries
from houfu.site import kinds  # noqa: F401  what can be asked for
from houfu.testing import world
from houfu.testing.passkeys import SoftwarePasskey
from houfu.testing.web import Browser, signed_in
from houfu.webhooks import actions as webhooks
from houfu.webhooks import queries as webhook_queries
from houfu.webhooks.wire import Answer

PASSWORD = "korrekt-pferd-batterie"
ROLES = (
    "owner",
    "finance",
    "legal",
    "supervisor",
    "store_manager",
    "clerk",
    "regional_manager",
    "auditor",
    "risk_officer",
)


@dataclass
class Scene:
    """A shop and its people at their browsers."""

    address: str
    shop: world.Shop
    invitations: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    browsers: dict[str, Browser] = field(default_factory=dict)
    passkeys: dict[str, SoftwarePasskey] = field(default_factory=dict)
    ids: dict[str, int | str] = field(default_factory=dict)

    def invite(self, role: str, name: str) -> str:
        """Invite somebody, and return the invitation."""
        bound = self.shop.stores[:1] if role in ("clerk", "store_manager") else None
        settings = Settings(role, frozenset(bound) if bound else None)
        by, merchant_id = self.shop.owner, self.shop.merchant_id
        if role == "operator":
            by, merchant_id = world.OPERATOR, 0
        member, invitation = people.invite(
            by=by, merchant_id=merchant_id, name=name, identity=world.new_identity(), settings=settings
        )
        self.names[role] = f"{role}-{member.merchant_id}-{member.id}@shop.example"
        return invitation

    def cookies(self, role: str) -> list[dict[str, object]]:
        """Return what a browser holds in which somebody of a role has signed in."""
        if role not in self.browsers:
            invitation = self.invite(role, NAMES[role])
            self.browsers[role], self.passkeys[role] = signed_in(self.address, invitation, self.names[role], PASSWORD)
        held = self.browsers[role].cookies
        return [
            {"name": name, "value": value, "url": self.address.replace("http:", "https:"), "secure": True}
            for name, value in held.items()
        ]


NAMES = {
    "owner": "王芳", "finance": "韩梅梅", "legal": "陈律", "supervisor": "孙主管", "store_manager": "李店长",
    "operator": "平台小李", "clerk": "周小店", "regional_manager": "赵敏",
    "auditor": "吴审计", "risk_officer": "郑风控",
}  # fmt: skip


def play(address: str, hands: clocks.SteppedClock) -> Scene:
    """Let a fortnight of orders go by in three stores that share a limit; it ends on the Monday, at ten."""
    today = hands.at
    hands.move(days=-14)
    shop = world.open_shop(stores=3, own_limit_fen=3_000_000)
    scene = Scene(address, shop)
    scene.ids = {"store": shop.store, "pool": world.pool(shop, share=3, grant_fen=20_000_000, contribution_fen=500_000)}
    for n in range(14):
        for store in shop.stores:
            ids = shop.earn(*[98_000 + 17_300 * (n + k) for k in range(2 + (n + store) % 3)], store=store, fee_fen=720)
        if n % 5 == 4:
            step = shop.steps(ids[0], ref=f"R{n}", amount_fen=9_900)
            orders.refund(by=shop.owner, merchant_id=shop.merchant_id, steps=step)
        hands.move(days=1)
    assert hands.at == today
    shop.place(88_800, 45_600, 132_050, 9_900)
    orders.ship(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(*shop.placed[:3]))
    orders.receive(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(*shop.placed[:2]))
    received = shop.placed[:2]
    shop.settle({received[0]: 88_800}, fee_fen=533)
    orders.dispute(
        by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(received[1], ref="A-1", note="质量问题")
    )
    shop.place(2_400_000, store=shop.stores[1])
    shop.place(80_000_000, store=shop.stores[2])
    shop.payee()
    shop.ask(200_000)
    shop.request(300_000, store=shop.stores[1])
    _run(scene, today)
    shop.place(4_600_000, store=shop.stores[1])
    limit(scene)
    watch(scene)
    _integrations(shop)
    _import(scene)
    case = risk.open_case(
        by=world.OPERATOR, merchant_id=shop.merchant_id, subject=f"store/{shop.stores[2]}", reason_class="orders"
    )
    risk.add_evidence(
        by=world.OPERATOR, merchant_id=shop.merchant_id, id=case.id, kind="note", text="同一买家短时间内多笔小额订单"
    )
    return scene


def _run(scene: Scene, today: datetime) -> None:
    """Let a day of automatic payouts decide on two stores."""
    shop = scene.shop
    for store in shop.stores[1:]:
        payouts.stand(
            by=shop.owner, merchant_id=shop.merchant_id, store_id=store, beneficiary_id=shop.beneficiary_id,
            purpose="goods_settlement",
        )  # fmt: skip
    payouts.run(by=world.WORKER, run_day=today.date(), stores=[(shop.merchant_id, store) for store in shop.stores[1:]])
    scene.ids["run_day"] = today.date().isoformat()


def limit(scene: Scene) -> None:
    """Give every kind of limit something to show: bands, proposals, an emergency, a change and a filing."""
    shop, now, pool_id = scene.shop, clocks.now(), scene.ids["pool"]
    key = {"by": shop.owner, "merchant_id": shop.merchant_id, "pool_id": pool_id}
    limits.set_dynamic(**key, base_fen=6_000_000, floating_fen=3_000_000, place="30.27,120.16")
    bands = [
        ("早市", "05:00", "11:00", 8_000_000),
        ("午市", "11:00", "17:00", 5_000_000),
        ("夜市", "17:00", "02:00", 9_000_000),
    ]
    table = limits.propose_bands(
        **key, reason="鲜食按时段", source={},
        bands=[dict(zip(("name", "opens", "closes", "limit_fen"), band, strict=True)) for band in bands],
    )  # fmt: skip
    limits.accept_bands(by=shop.owner, merchant_id=shop.merchant_id, id=table.id)
    rain = {"provider": "open-meteo", "place": "30.27,120.16", "observed_at": now.isoformat()}
    for kind, fen, after, reason, source in (
        ("weather", 1_500_000, 0, "rain", rain),
        ("forecast", -800_000, 3, "预计周一午后订单偏少", {"model": "holt-winters", "days": 28}),
        ("manual", 1_000_000, 6, "夜市促销", {}),
    ):
        starts = now + timedelta(hours=after)
        made = limits.propose(
            **key, kind=kind, amount_fen=fen, valid_from=starts, valid_until=starts + timedelta(hours=3),
            reason=reason, source=source,
        )  # fmt: skip
        if kind == "manual":
            limits.accept_adjustment(by=shop.owner, merchant_id=shop.merchant_id, id=made.id)
    limits.reduce(
        by=world.OPERATOR, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=180_000, reason="逾期"
    )
    begun = limits.begin_emergency(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=300_000)
    scene.ids["emergency"] = begun.id
    limits.propose_share(**key, share=4, reason="旺季备货")


def watch(scene: Scene) -> None:
    """Let risk find something, hold a payout, and have a measure and a score to appeal."""
    shop, m = scene.shop, scene.shop.merchant_id
    li = operator("li")
    risk.look(by=world.WORKER, merchant_id=m)
    case = risk.open_case(by=li, merchant_id=m, subject=f"store/{shop.stores[2]}", reason_class="returns")
    risk.investigate(by=li, merchant_id=m, id=case.id)
    risk.decide(by=li, merchant_id=m, id=case.id, outcome="restrict", note="退货率连续两月偏高")
    again = risk.open_case(by=li, merchant_id=m, subject=f"store/{shop.store}", reason_class="orders")
    risk.investigate(by=li, merchant_id=m, id=again.id)
    risk.add_evidence(
        by=li, merchant_id=m, id=again.id, kind="statement", text="店长说明：小额订单来自学校食堂的团购。"
    )
    scene.ids["case"] = again.id
    scene.ids["alert"] = risk_queries.alerts(li, m)[0].id
    risk.appeal(by=shop.owner, merchant_id=m, grounds="退货来自一批错发的货，已换供应商。", case_id=case.id)


def _integrations(shop: world.Shop) -> None:
    """Give the shop keys, an endpoint whose deliveries went well and badly, and jobs."""
    mine = {"by": shop.owner, "merchant_id": shop.merchant_id}
    people.create_key(**mine, name="ERP 对接", scopes=["orders:read", "orders:write"], days=10)
    old, _ = people.create_key(**mine, name="旧密钥", scopes=["ledger:read"], networks=["203.0.113.0/24"])
    people.revoke_key(**mine, id=old.id)
    endpoint, _ = webhooks.add(**mine, url="https://erp.example.com/houfu", verbs=["*"])
    for _ in range(3):
        webhooks.test(**mine, id=endpoint.id)
    shop.ask(150_000)
    webhooks.follow()
    due = webhook_queries.messages(shop.merchant_id, endpoint.id, 3)
    outcomes = [("delivered", 200), ("delivered", 204), ("not_accepted", 500)]
    webhooks.conclude(
        by=system("webhooks"),
        ended=[
            webhooks.Ended(shop.merchant_id, message.delivery_id, Answer(outcome, status, 37))
            for message, (outcome, status) in zip(due, outcomes, strict=False)
        ],
    )
    for format_ in ("xlsx", "csv"):
        asked = exports.ask(**mine, what="orders", format=format_, filters={}, reason="月末对账")
        runner.finish(shop.merchant_id, asked.id)
    jobs.ask(**mine, kind="history.verify", arguments={"asked_at": "now"})


EVENTS = """kind,order_id,store,amount,at,ref
authorised,I-{n}-1,{code},280.00,2025-11-09T09:30:00+08:00,
authorised,I-{n}-2,上海二店,60.00,2025-11-09T09:40:00+08:00,
shipped,I-{n}-1,,,2025-11-09T15:00:00+08:00,SF1234
shipped,I-{n}-1,,,gestern,SF1234
"""


def file_of_orders(shop: world.Shop, n: int) -> str:
    """Return a file of two orders, one of them of a store that is not there, with a line that cannot be used."""
    return EVENTS.format(n=n, code=merchants.store(shop.merchant_id, shop.store).code)


def _import(scene: Scene) -> None:
    """Take a file in that waits to be started."""
    shop, content = scene.shop, file_of_orders(scene.shop, 0).encode("gb18030")
    found = imports.take(
        by=shop.owner, merchant_id=shop.merchant_id, uploads=[imports.Upload("十一月订单.csv", content)],
        mapping_text=imports.mapping_text("events", ""),
    )  # fmt: skip
    scene.ids["import"] = found.id
