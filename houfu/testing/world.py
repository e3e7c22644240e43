"""A merchant, its people and its shops, for tests that read like the domain."""

import itertools
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from houfu.approvals import queries as approval_queries
from houfu.channels.port import Line
from houfu.kernel import clock, db
from houfu.ledger import queries as ledger
from houfu.ledger.actions import Account
from houfu.limits import actions as limits
from houfu.merchants import actions as merchants
from houfu.merchants import queries as merchant_queries
from houfu.orders import actions as orders
from houfu.orders.actions.authorise import Decision
from houfu.orders.steps import Outcome, Step
from houfu.payouts import actions as payouts
from houfu.payouts.models import Beneficiary, Payout
from houfu.people import actions as people
from houfu.people import queries as people_queries
from houfu.people.actions import Settings
from houfu.people.actor import KEY_SCOPES, Actor, operator, system
from houfu.people.models import Staff
from houfu.people.states import move_staff
from houfu.reconciliation import actions as reconciliation
from houfu.reconciliation.actions import Finding
from houfu.splits import actions as splits
from houfu.testing.passkeys import SoftwarePasskey
from houfu.testing.signing import give_passkey, sign

OPERATOR = operator("li")
WORKER = system("worker")
MERCHANT_SCOPES = frozenset(KEY_SCOPES) - {"platform:write", "risk:write"}
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_numbers = itertools.count(1)
_dice = random.SystemRandom()  # nobody's seed may make two merchants one


def new_uscc() -> str:
    """Return a unified social credit code whose check character is right."""
    body = "91" + "".join(_dice.choices(_ALPHABET, k=15))
    total = sum(_ALPHABET.index(char) * pow(3, place, 31) for place, char in enumerate(body))
    return body + _ALPHABET[(31 - total % 31) % 31]


@dataclass
class Shop:
    """A merchant with stores under one principal at the simulated channel."""

    merchant_id: int
    account_id: int
    principal: str
    stores: list[int]
    owner: Actor
    assistant: Actor
    beneficiary_id: int = 0
    placed: list[str] = field(default_factory=list)
    _signers: dict[str, tuple[Actor, SoftwarePasskey]] = field(default_factory=dict)
    _hiring: threading.Lock = field(default_factory=threading.Lock)

    @property
    def store(self) -> int:
        return self.stores[0]

    def hire(
        self, role: str, name: str = "李雷", *, stores: Sequence[int] | None = None, identity: str = "", **caps: int
    ) -> Actor:
        """Take on a member of the staff, in every store unless some are named or the role is of a store."""
        bound = self.stores if stores is None and role in ("clerk", "store_manager") else stores
        settings = Settings(role, None if bound is None else frozenset(bound), **caps)
        member, _ = people.invite(
            by=self.owner,
            merchant_id=self.merchant_id,
            name=name,
            identity=identity or new_identity(),
            settings=settings,
        )
        return at_work(member)

    def place(self, *amounts_fen: int, store: int | None = None, ids: Sequence[str] = ()) -> list[Decision]:
        """Ask for orders of these amounts, one after another, in one batch."""
        names = list(ids) or [f"D{next(_numbers):08d}" for _ in amounts_fen]
        return self.place_in([(store or self.store, fen) for fen in amounts_fen], names)

    def place_in(self, wanted: Sequence[tuple[int, int]], ids: Sequence[str]) -> list[Decision]:
        """Ask for orders of (store, amount), one after another, in one batch."""
        self.placed = list(ids)
        batch = [
            orders.NewOrder(self.merchant_id, id, store_id, fen, clock.now())
            for id, (store_id, fen) in zip(ids, wanted, strict=True)
        ]
        return orders.authorise(by=self.owner, orders=batch)

    def steps(self, *ids: str, **what: object) -> list[Step]:
        """Return the same step for several orders, now unless `at` says otherwise."""
        return [Step(id, **{"at": clock.now(), **what}) for id in ids or self.placed]  # type: ignore[arg-type]

    def receive(self, *ids: str) -> list[Outcome]:
        """Let orders be shipped and received on the platform's word."""
        orders.ship(by=self.owner, merchant_id=self.merchant_id, steps=self.steps(*ids))
        return orders.receive(by=self.owner, merchant_id=self.merchant_id, steps=self.steps(*ids))

    def settle(self, amounts_fen: dict[str, int], fee_fen: int = 0) -> list[Finding]:
        """Let the channel credit orders, in lines of its statement of today, and return what the books say to each."""
        lines = [
            Line(f"L{next(_numbers)}", "settlement", id, fen, fee_fen, clock.now()) for id, fen in amounts_fen.items()
        ]
        account = merchant_queries.channel_account(self.merchant_id, self.account_id)
        found = reconciliation.book(by=WORKER, account=account, day=clock.business_day(clock.now()), lines=lines)
        return [found[line.no] for line in lines]

    def settle_by_query(self, amounts_fen: dict[str, int], fee_fen: int = 0) -> list[Outcome]:
        """Let a query confirm that the channel has credited orders."""
        steps = [Step(id, clock.now(), amount_fen=fen, fee_fen=fee_fen) for id, fen in amounts_fen.items()]
        return splits.settle(by=WORKER, merchant_id=self.merchant_id, steps=steps, settled_by="query")

    def mature(self, at: datetime | None = None) -> int:
        """Mature what is due."""
        return orders.mature_due(by=WORKER, merchant_id=self.merchant_id, at=at or clock.now())

    def earn(self, *amounts_fen: int, store: int | None = None, fee_fen: int = 0) -> list[str]:
        """Bring orders all the way to matured money, as of now, and return their ids."""
        self.place(*amounts_fen, store=store)
        ids = list(self.placed)
        self.receive(*ids)
        self.settle(dict(zip(ids, amounts_fen, strict=True)), fee_fen=fee_fen)
        self.mature(clock.now() + timedelta(days=60))
        return ids

    def signer(self, role: str) -> tuple[Actor, SoftwarePasskey]:
        """Return somebody of a role who agrees to everything, and their passkey."""
        with self._hiring:
            if role not in self._signers:
                by = self.owner if role == "owner" else self.hire(role, role)
                self._signers[role] = by, give_passkey(by, self.merchant_id)
            return self._signers[role]

    def agree(self, subject: str, steps: int = 8) -> None:
        """Let those sign who must agree to a subject, or the first few of them."""
        for _ in range(steps):
            request = approval_queries.latest(self.merchant_id, subject)
            if request is None or request.state != "open":
                return
            sign(*self.signer(request.chain[request.turn]), request)

    def payee(self, *, purpose_class: str = "goods_settlement", account: str = "") -> Beneficiary:
        """Register, confirm and verify a beneficiary that has cooled already."""
        registered = payouts.register(
            by=self.owner,
            merchant_id=self.merchant_id,
            kind="bank_corporate",
            purpose_class=purpose_class,
            holder="杭州某某服饰有限公司",
            account=account or f"6222{next(_numbers):012d}",
        )
        self.agree(f"beneficiary/{registered.id}")
        payouts.follow_confirmation(by=WORKER, merchant_id=self.merchant_id, id=registered.id)
        payouts.verify(by=OPERATOR, merchant_id=self.merchant_id, id=registered.id, document="开户许可证")
        Beneficiary.objects.filter(merchant_id=self.merchant_id, id=registered.id).update(usable_from=clock.now())
        self.beneficiary_id = registered.id
        return registered

    def asker(self, role: str = "finance") -> Actor:
        """Take on somebody who asks for payouts, and has just proved that it is them."""
        return proved(self.hire(role, "韩梅梅"))

    def request(
        self, amount_fen: int, *, by: Actor | None = None, store: int | None = None, purpose: str = "goods_settlement"
    ) -> Payout:
        """Ask for a payout to the shop's beneficiary, and leave it to those who must agree."""
        if not self.beneficiary_id:
            self.payee()
        return payouts.request(
            by=by or self.asker(),
            id=uuid4(),
            merchant_id=self.merchant_id,
            store_id=store or self.store,
            beneficiary_id=self.beneficiary_id,
            amount_fen=amount_fen,
            purpose=purpose,
        )

    def ask(self, amount_fen: int, *, store: int | None = None, purpose: str = "goods_settlement") -> Payout:
        """Ask for a payout to the shop's beneficiary, to which everybody agrees."""
        payout = self.request(amount_fen, store=store, purpose=purpose)
        self.agree(f"payout/{payout.id}")
        payouts.follow(by=WORKER, merchant_id=self.merchant_id, id=payout.id)
        return Payout.objects.get(merchant_id=self.merchant_id, id=payout.id)

    def fen(self, kind: str, owner: int | None = None) -> int:
        """Return the balance of an account of the first store, or of another owner."""
        return ledger.balances(self.merchant_id).get(Account(kind, owner or self.store), 0)

    def books(self) -> dict[Account, int]:
        """Return every balance that is not zero."""
        return {account: fen for account, fen in ledger.balances(self.merchant_id).items() if fen}


def open_shop(*, stores: int = 1, own_limit_fen: int = 10_000_000, maturity_days: int | None = 1) -> Shop:
    """Open a merchant with stores, each with an own limit."""
    merchant = merchants.register(by=OPERATOR, name="杭州某某服饰有限公司", uscc=new_uscc())
    merchants.verify(by=OPERATOR, merchant_id=merchant.merchant_id, document="营业执照")
    principal = f"2088{_dice.randrange(10**12):012d}"  # the channel outlives databases, in which merchants begin at 1
    account = merchants.open_channel_account(
        by=OPERATOR,
        merchant_id=merchant.merchant_id,
        channel="simulator",
        principal=principal,
        maturity_days=maturity_days,
    )
    opened = [
        merchants.open_store(
            by=OPERATOR, merchant_id=merchant.merchant_id, code=f"S{n}", name=f"{n} 号店", channel_account_id=account.id
        ).id
        for n in range(1, stores + 1)
    ]
    if own_limit_fen:
        for store_id in opened:
            limits.grant(by=OPERATOR, merchant_id=merchant.merchant_id, store_id=store_id, amount_fen=own_limit_fen)

    shop = Shop(merchant.merchant_id, account.id, principal, opened, OPERATOR, OPERATOR)
    first, _ = people.create_owner(by=OPERATOR, merchant_id=shop.merchant_id, name="王芳", identity=new_identity())
    shop.owner = at_work(first)
    shop.assistant = shop.hire("regional_manager", "赵敏")
    return shop


def new_identity() -> str:
    """Return the number of an identity document that nobody else has."""
    return f"3301{_dice.randrange(10**14):014d}"


def proved(by: Actor) -> Actor:
    """Return an actor who has just proved with a passkey that it is them."""
    return replace(by, stepped_up_at=clock.now())


def at_work(member: Staff) -> Actor:
    """Return an invited member of the staff as the actor they are once they have accepted."""
    move_staff("accept", Staff, {"merchant_id": member.merchant_id, "id": member.id}, invitation_digest=None)
    return people_queries.actor_of_staff(people_queries.staff(member.merchant_id, member.id))


def pool(shop: Shop, *, share: int = 1, grant_fen: int = 0, contribution_fen: int = 0) -> int:
    """Let all stores of a shop share limits by a pool that is signed for, and return the pool."""
    group = merchants.form_group(
        by=shop.owner,
        merchant_id=shop.merchant_id,
        name="华东",
        channel_account_id=shop.account_id,
        store_ids=shop.stores,
    )
    return signed_pool(shop, group.id, shop.stores, share=share, grant_fen=grant_fen, contribution_fen=contribution_fen)


def share_on(shop: Shop, *store_ids: int) -> None:
    """Switch sharing on in some stores, in all of them unless any is named."""
    for store_id in store_ids or shop.stores:
        merchants.set_sharing(by=shop.owner, merchant_id=shop.merchant_id, id=store_id, sharing=True)


def file_pool(shop: Shop, accepted_at: datetime | None) -> None:
    """Let the filing of a shop's pool have been raised, and accepted where an instant is given (G10)."""
    key: list[object] = [shop.merchant_id]
    db.rows(
        "INSERT INTO limits_filing (merchant_id, pool_id, state, policy, limit_fen, figure_fen, triggered_at)"
        " SELECT merchant_id, id, 'triggered', 'x', limit_fen, 1, now() FROM limits_pool WHERE merchant_id = %s"
        " ON CONFLICT DO NOTHING",
        key,
    )
    if accepted_at is None:
        return
    for state, more in (
        ("drafting", ""), ("in_review", ", form = '{}'"), ("submitted", ", reference = 'BA-1', submitted_at = now()"),
        ("accepted", f", acceptance = 'OK-1', accepted_at = '{accepted_at.isoformat()}'"),
    ):  # fmt: skip
        db.rows(f"UPDATE limits_filing SET state = '{state}'{more} WHERE merchant_id = %s", key)  # noqa: S608
    db.rows("UPDATE limits_pool SET filed_at = %s WHERE merchant_id = %s", [accepted_at, *key])


def signed_pool(
    shop: Shop,
    group_id: int,
    store_ids: Sequence[int],
    *,
    share: int = 1,
    grant_fen: int = 0,
    contribution_fen: int = 0,
) -> int:
    """Open a pool of a group with some stores as its members, have it signed for, and return it."""
    m = shop.merchant_id
    share_on(shop, *store_ids)
    opened = limits.open_pool(by=shop.assistant, merchant_id=m, group_id=group_id, share=share)
    for store_id in store_ids:
        limits.join_pool(
            by=shop.assistant,
            merchant_id=m,
            pool_id=opened.id,
            store_id=store_id,
            contribution_fen=contribution_fen,
        )
    sign_pool(shop, opened.id)
    if grant_fen:
        limits.grant_pool(by=OPERATOR, merchant_id=m, pool_id=opened.id, amount_fen=grant_fen)
    return opened.id


def sign_pool(shop: Shop, pool_id: int) -> str:
    """Have the legal representative sign for a pool that is drawn up, and return its state."""
    limits.ask_signature(by=shop.assistant, merchant_id=shop.merchant_id, pool_id=pool_id)
    shop.agree(f"pool/{pool_id}")
    return limits.follow_signature(by=WORKER, merchant_id=shop.merchant_id, pool_id=pool_id)
