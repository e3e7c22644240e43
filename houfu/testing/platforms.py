"""A merchant on two platforms that recognise each other, for tests that read like the domain."""

import hashlib
from dataclasses import dataclass

from houfu.kernel import clock
from houfu.limits import actions as limits
from houfu.limits import conversion_queries as queries
from houfu.limits.actions import Document
from houfu.limits.models import Conversion
from houfu.merchants import actions as merchants
from houfu.people.actor import Actor
from houfu.testing.world import OPERATOR, WORKER, Shop, open_shop

SHA = hashlib.sha256(b"document").hexdigest()


@dataclass
class Platforms:
    """A shop whose first store is on one platform and whose second is on another; it gives nothing of its own."""

    shop: Shop
    accounts: tuple[int, int]
    giving: int
    taking: int
    asker: Actor
    recognition_id: int = 0

    @property
    def m(self) -> int:
        return self.shop.merchant_id

    def documents(self, *accounts: int) -> list[Document]:
        return [Document(account, f"商家资质 {account}", SHA) for account in accounts or self.accounts]

    def propose(self) -> int:
        """Have the regional manager bring both documents."""
        made = limits.propose_recognition(by=self.asker, merchant_id=self.m, documents=self.documents())
        self.recognition_id = made.id
        return made.id

    def sign(self, account: int) -> str:
        """Let the owner sign for a side's document, and return what state that leads to."""
        self.shop.agree(queries.subject(self.recognition_id, account))
        return limits.follow_recognition(by=WORKER, merchant_id=self.m, id=self.recognition_id)

    def accept(self, account: int) -> str:
        """Let the platform accept a side's document, and return what state that leads to."""
        id = self.recognition_id
        return limits.accept_document(by=OPERATOR, merchant_id=self.m, id=id, channel_account_id=account).state

    def recognise(self) -> None:
        self.propose()
        for account in self.accounts:
            self.sign(account)
            self.accept(account)

    def ask(self, amount_fen: int, *, back: bool = False) -> Conversion:
        """Ask to convert from the first store to the second, or back."""
        stores = (self.taking, self.giving) if back else (self.giving, self.taking)
        return limits.convert(
            by=self.asker, merchant_id=self.m, from_store_id=stores[0], to_store_id=stores[1], amount_fen=amount_fen
        )

    def confirm(self, asked: Conversion) -> Conversion:
        return limits.confirm_conversion(by=self.shop.owner, merchant_id=self.m, id=asked.id)

    def convert(self, amount_fen: int, *, back: bool = False) -> Conversion:
        return self.confirm(self.ask(amount_fen, back=back))

    def tend(self) -> int:
        """Let the worker look at the merchant's conversions as of now."""
        return limits.tend_conversions(by=WORKER, merchant_id=self.m, at=clock.now())

    def conversion(self, id: int) -> Conversion:
        return Conversion.objects.get(merchant_id=self.m, id=id)

    def free(self) -> tuple[int, int]:
        """Return the own limit of both stores that is not in use."""
        return self.shop.fen("q:own:free", self.giving), self.shop.fen("q:own:free", self.taking)


def open_platforms(*, giving_fen: int = 1_000_000, taking_fen: int = 0, recognised: bool = True) -> Platforms:
    """Open a merchant with a store on each of two platforms."""
    shop = open_shop(own_limit_fen=giving_fen)
    account = merchants.open_channel_account(
        by=OPERATOR, merchant_id=shop.merchant_id, channel="jd", principal=shop.principal
    )
    opened = merchants.open_store(
        by=OPERATOR, merchant_id=shop.merchant_id, code="JD", name="京东店", channel_account_id=account.id
    )
    shop.stores.append(opened.id)
    if taking_fen:
        limits.grant(by=OPERATOR, merchant_id=shop.merchant_id, store_id=opened.id, amount_fen=taking_fen)
    both = Platforms(shop, (shop.account_id, account.id), shop.store, opened.id, shop.assistant)
    if recognised:
        both.recognise()
    return both
