"""A merchant on an ordinary Monday, with every kind of row that a page shows, and people who can sign in."""

from dataclasses import dataclass, field

from houfu.jobs import actions as jobs
from houfu.jobs import exports, runner
from houfu.kernel import clock as clocks
from houfu.orders import actions as orders
from houfu.people import actions as people
from houfu.people.actions import Settings
from houfu.people.actor import system
from houfu.risk import actions as risk
from houfu.site import kinds  # noqa: F401  what can be asked for
from houfu.testing import world
from houfu.testing.passkeys import SoftwarePasskey
from houfu.testing.web import Browser, signed_in
from houfu.webhooks import actions as webhooks
from houfu.webhooks import queries as webhook_queries
from houfu.webhooks.wire import Answer

PASSWORD = "korrekt-pferd-batterie"
ROLES = ("owner", "finance", "legal", "supervisor", "store_manager", "clerk", "regional_manager", "auditor")


@dataclass
class Scene:
    """A shop and its people at their browsers."""

    address: str
    shop: world.Shop
    invitations: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    browsers: dict[str, Browser] = field(default_factory=dict)
    passkeys: dict[str, SoftwarePasskey] = field(default_factory=dict)

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
    "operator": "平台小李", "clerk": "周小店", "regional_manager": "赵敏", "auditor": "吴审计",
}  # fmt: skip


def play(address: str, hands: clocks.SteppedClock) -> Scene:
    """Let a fortnight of orders go by in three stores that share a limit; it ends on the Monday, at ten."""
    today = hands.at
    hands.move(days=-14)
    shop = world.open_shop(stores=3, own_limit_fen=3_000_000)
    scene = Scene(address, shop)
    world.pool(shop, share=3, grant_fen=20_000_000, contribution_fen=500_000)
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
    _integrations(shop)
    case = risk.open_case(
        by=world.OPERATOR, merchant_id=shop.merchant_id, subject=f"store/{shop.stores[2]}", reason_class="orders"
    )
    risk.add_evidence(
        by=world.OPERATOR, merchant_id=shop.merchant_id, id=case.id, kind="note", text="同一买家短时间内多笔小额订单"
    )
    return scene


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
