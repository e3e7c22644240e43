"""A merchant on an ordinary Monday, with every kind of row that a page shows, and people who can sign in."""

from dataclasses import dataclass, field

from houfu.kernel import clock as clocks
from houfu.orders import actions as orders
from houfu.people import actions as people
from houfu.people.actions import Settings
from houfu.testing import world
from houfu.testing.passkeys import SoftwarePasskey
from houfu.testing.web import Browser, signed_in

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
        member, invitation = people.invite(
            by=self.shop.owner, merchant_id=self.shop.merchant_id, name=name, identity=world.new_identity(),
            settings=settings,
        )  # fmt: skip
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
    "clerk": "周小店", "regional_manager": "赵敏", "auditor": "吴审计",
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
    return scene
