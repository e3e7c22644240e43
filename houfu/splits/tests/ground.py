"""A shop with a supplier and a carrier, bound and agreed to, for tests of splits."""

from datetime import date, timedelta

from houfu.channels.port import Answer, Bond, Dedupe, SplitAnswer, Verdict
from houfu.kernel import clock
from houfu.merchants import queries as merchants
from houfu.orders import queries as orders
from houfu.splits import actions as splits
from houfu.splits import queries
from houfu.splits.models import Party, Return, Split
from houfu.splits.rules import Wanted
from houfu.testing.world import WORKER, open_shop
from houfu.verify import queries as verify

FROM, UNTIL = date(2025, 1, 1), date(2025, 12, 31)
WINDOW = timedelta(seconds=300)


class Chain:
    """A shop and those who supply and carry for it."""

    def __init__(self, cap_permille: int | None = 900, **shop) -> None:
        self.shop = open_shop(**shop)
        self.finance = self.shop.hire("finance", "韩梅梅")
        self.account = merchants.channel_account(self.shop.merchant_id, self.shop.account_id)
        if cap_permille is not None:
            splits.note_cap(by=WORKER, account=self.account, permille=cap_permille)

    @property
    def m(self) -> int:
        return self.shop.merchant_id

    def register(self, relation: str = "supplier", account: str = "supplier@mill.example", **said) -> Party:
        asked = {
            "relation": relation, "kind": "alipay", "holder": "某某布厂", "account": account, "contract": "HT-2025-01",
            "purpose_class": "supplier_payment" if relation == "supplier" else "freight",
            "valid_from": FROM, "valid_until": UNTIL, **said,
        }  # fmt: skip
        return splits.register(by=self.finance, merchant_id=self.m, **asked)

    def confirm(self, party: Party) -> Party:
        self.shop.agree(f"party/{party.id}")
        splits.follow_confirmation(by=WORKER, merchant_id=self.m, id=party.id)
        return queries.party(self.m, party.id)

    def bind(self, party: Party, bond: Bond = Bond.BOUND) -> Party:
        asked = splits.bind(by=self.finance, merchant_id=self.m, id=party.id, channel_account_id=self.shop.account_id)
        splits.note_bond(by=WORKER, merchant_id=self.m, id=asked.id, bond=bond)
        return party

    def party(self, relation: str = "supplier", account: str = "", **said) -> Party:
        return self.bind(self.confirm(self.register(relation, account or f"{relation}@mill.example", **said)))

    def propose(self, *shares: Wanted, **said):
        return splits.propose(by=self.finance, merchant_id=self.m, store_id=self.shop.store, shares=shares, **said)

    def rule(self, *shares: Wanted, **said) -> int:
        """Propose a rule to which somebody else agrees."""
        proposed = self.propose(*shares, **said)
        self.shop.agree(f"split_rule/{proposed.id}")
        assert splits.follow_agreement(by=WORKER, merchant_id=self.m, id=proposed.id) == "approved"
        return proposed.id

    def sell(self, amount_fen: int, fee_fen: int = 0) -> str:
        """Let an order be received and credited, and return its id."""
        self.shop.place(amount_fen)
        (order_id,) = self.shop.placed
        self.shop.receive(order_id)
        assert self.shop.settle({order_id: amount_fen}, fee_fen)[0].outcome == "booked"
        return order_id

    def division(self, order_id: str):
        return queries.division(WORKER, self.m, order_id)

    def parts(self, order_id: str) -> list[tuple[int, int, str]]:
        """Return party, what it holds or is to get, and state of an order's parts."""
        calls = queries.splits_of(self.m, order_id)
        return [(p.party_id, p.held_fen, p.state) for p in queries.parts(self.m, [c.id for c in calls])]

    def split(self, order_id: str) -> Split:
        return queries.splits_of(self.m, order_id)[0]

    def send(self, order_id: str, *verdicts: Verdict, whole: Verdict = Verdict.PAID) -> str:
        """Begin an order's split, and let the channel answer about each part."""
        split = self.split(order_id)
        if split.state == "scheduled":
            assert splits.begin(by=WORKER, merchant_id=self.m, id=split.id, worker="w")
        return self.answer(order_id, *verdicts, whole=whole)

    def answer(self, order_id: str, *verdicts: Verdict, whole: Verdict = Verdict.PAID) -> str:
        parts = tuple(Answer(verdict, "" if verdict is Verdict.PAID else "denied_by_receiver") for verdict in verdicts)
        return splits.record(
            by=WORKER, merchant_id=self.m, id=self.split(order_id).id, answer=SplitAnswer(Answer(whole), parts),
            dedupe=Dedupe.STRICT, window=WINDOW,
        )  # fmt: skip

    def refund(self, order_id: str, fen: int, ref: str = "R1") -> None:
        from houfu.orders import actions

        steps = self.shop.steps(order_id, amount_fen=fen, ref=ref)
        assert actions.refund(by=self.shop.owner, merchant_id=self.m, steps=steps)[0].outcome == "done"

    def recall(self, order_id: str) -> list[Return]:
        splits.recall(by=WORKER, merchant_id=self.m, order_id=order_id)
        return queries.returns_of(self.m, order_id)

    def come_back(self, back: Return, verdict: Verdict) -> str:
        """Ask a part back, and let the channel answer."""
        splits.begin_return(by=WORKER, merchant_id=self.m, id=back.id, worker="w")
        return splits.record_return(
            by=WORKER, merchant_id=self.m, id=back.id, answer=Answer(verdict), dedupe=Dedupe.STRICT, window=WINDOW
        )

    def unsound(self) -> list:
        """Return what `houfu verify` finds about this merchant: others' tests leave theirs as they like."""
        return [row for finding in verify.run().findings for row in finding.rows if row.get("merchant_id") == self.m]

    def fen(self, kind: str, owner: int | None = None) -> int:
        return self.shop.fen(kind, owner)

    def lot(self, order_id: str):
        return orders.lot(self.m, order_id)

    def mature(self) -> None:
        self.shop.mature(clock.now() + timedelta(days=60))
