"""What the product asks of every payment channel, and what it believes of the answers.

An adapter turns everything that is not a clear, signed and matching answer into UNKNOWN: a timeout, a 5xx, text that
cannot be parsed, a signature that fails, an amount or payee that is not ours (I-09, I-12).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Protocol

from houfu.kernel.errors import Refused


class Dedupe(Enum):
    """What a channel does with a request number that it has seen."""

    STRICT = "strict"  # answers with the first result, or refuses other content: repeating is safe
    RACY = "racy"  # as strict, but two at once may both be executed: never repeat while one may be in flight
    NONE = "none"  # executes again: never repeat


class Verdict(Enum):
    """What is known of a transfer after asking."""

    PROCESSING = "processing"  # the channel has it and will execute it
    PAID = "paid"
    DENIED = "denied"  # definitively not executed, and never will be
    RETURNED = "returned"  # was paid, and came back
    NOT_FOUND = "not_found"  # the channel knows no such number: proof only after its acceptance window
    UNKNOWN = "unknown"  # nothing may be concluded


class PayeeState(Enum):
    """What the channel says of an account that is to receive money (P6)."""

    NORMAL = "normal"
    RESTRICTED = "restricted"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Payee:
    """Where money goes.

    Args:
        kind: "alipay" or "bank_corporate".
        account: the full account number or login.
        name: the holder's name as the channel must know it.
    """

    kind: str
    account: str
    name: str


@dataclass(frozen=True)
class Transfer:
    """One transfer to be executed at most once under its request number.

    Args:
        at: the instant for which the request is signed. It is fixed before the first byte leaves, so that a sender who
            was held up cannot get a request accepted after the channel's acceptance window.
    """

    principal: str  # the merchant's account at the channel
    request_no: str
    amount_fen: int
    fee_fen: int  # what the channel keeps on top
    payee: Payee
    purpose: str
    at: datetime


@dataclass(frozen=True)
class Answer:
    """What an adapter makes of a channel's answer about one transfer."""

    verdict: Verdict
    code: str = ""
    channel_no: str = ""
    at: datetime | None = None


RECEIVERS = 5  # that one synchronous call for a split names at most, at every channel


class Bond(Enum):
    """What is known of a receiver's relation to a principal after asking for it (L8)."""

    BOUND = "bound"
    RELEASED = "released"  # there is none, or none any more
    REFUSED = "refused"  # the channel will not have it
    UNKNOWN = "unknown"  # nothing may be concluded; asking again is harmless


@dataclass(frozen=True)
class Receiver:
    """Whom a split gives to, and how much."""

    payee: Payee
    amount_fen: int


@dataclass(frozen=True)
class Split:
    """Parts of a settled order for bound receivers, to be executed at most once under its request number.

    Args:
        receivers: RECEIVERS of them at most; the channel knows each by its place in this order, from 1.
        at: the instant for which the request is signed.
    """

    principal: str
    request_no: str
    order_id: str
    receivers: tuple[Receiver, ...]
    at: datetime


@dataclass(frozen=True)
class SplitAnswer:
    """What an adapter makes of an answer about a split.

    Args:
        whole: PAID once every receiver has been judged, DENIED where none was and none will be.
        parts: PAID, DENIED or PROCESSING for each receiver in the order of the request; empty where nothing is known.
    """

    whole: Answer
    parts: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class TakeBack:
    """A receiver's part, or some of it, to be taken back at most once under a request number of its own."""

    principal: str
    request_no: str
    split_no: str  # the request number under which it was given
    receiver: Receiver
    at: datetime


@dataclass(frozen=True)
class Report:
    """Something that the channel must hear of: an order received, so that it collects, or an amount refunded."""

    kind: str  # "receipt" or "refund"
    order_id: str
    ref: str  # distinguishes several refunds of one order; empty for a receipt
    amount_fen: int
    at: datetime


@dataclass(frozen=True)
class Settlement:
    """An order's money as the channel has credited it."""

    order_id: str
    gross_fen: int
    fee_fen: int
    at: datetime


@dataclass(frozen=True)
class BuyerScore:
    """What the channel thinks of a buyer's credit (O5).

    Args:
        at: the instant that the score is of.
        ref: the channel's own number for it.
    """

    score: int
    at: datetime
    ref: str


@dataclass(frozen=True)
class Line:
    """One line of a channel's statement.

    Args:
        no: the line's own number, unique in its statement.
        kind: "settlement", "refund", "transfer", "transfer_fee", "return", "split" or "split_return".
        ref: order id, order id and refund number with a slash between, or request number; of a split with the place
            of the receiver behind a slash.
        amount_fen: always positive; the kind says the direction.
        fee_fen: the channel's fee on a settlement, already kept.
    """

    no: str
    kind: str
    ref: str
    amount_fen: int
    fee_fen: int
    at: datetime


@dataclass(frozen=True)
class Statement:
    """A day of a merchant's account at the channel; `final` once the day is closed there."""

    principal: str
    day: date
    final: bool
    lines: Sequence[Line]


@dataclass(frozen=True)
class Notice:
    """A message by which the channel says that something changed. It is a reason to ask, never a proof (I-12)."""

    id: str
    principal: str
    kind: str  # "transfer" or "settlement"
    ref: str


class NoticeRejected(Refused):
    """This notice is not from the channel, or not for us."""

    code = "notice_rejected"
    status = 401


class ChannelDown(Refused):
    """The channel does not answer, or not with anything that can be believed; ask again later."""

    code = "channel_down"
    status = 503


class Channel(Protocol):
    """A payment channel as the product sees it."""

    name: str
    dedupe: Dedupe
    acceptance_window: timedelta

    def close(self) -> None:
        """Let go of the connections: the channel's entry has changed."""

    def transfer(self, transfer: Transfer) -> Answer:
        """Send a transfer. Never raises for what the channel or the network does: that is UNKNOWN."""

    def query(self, transfer: Transfer) -> Answer:
        """Ask what became of a transfer; what differs from `transfer` in the answer makes it UNKNOWN."""

    def payee_state(self, principal: str, payee: Payee) -> PayeeState:
        """Ask whether an account can receive money."""

    def bind(self, principal: str, payee: Payee, relation: str) -> Bond:
        """Ask that an account may receive parts of a principal's orders; asking twice changes nothing.

        Args:
            relation: "supplier" or "carrier".
        """

    def release(self, principal: str, payee: Payee) -> Bond:
        """Ask that an account receives nothing of a principal any more; asking twice changes nothing."""

    def max_ratio(self, principal: str) -> int:
        """Ask which part of an order's net the channel gives to others at most, per mille.

        Raises:
            ChannelDown: when no answer can be believed.
        """

    def split(self, split: Split) -> SplitAnswer:
        """Send a split. Never raises for what the channel or the network does: that is UNKNOWN."""

    def query_split(self, split: Split) -> SplitAnswer:
        """Ask what became of a split; what differs from `split` in the answer makes it UNKNOWN."""

    def take_back(self, wanted: TakeBack) -> Answer:
        """Ask a receiver's part back, as `split` gives it."""

    def query_take_back(self, wanted: TakeBack) -> Answer:
        """Ask what became of asking a part back."""

    def report(self, principal: str, reports: Sequence[Report]) -> int:
        """Tell the channel of receipts and refunds; return how many of them, from the first, it has taken.

        Raises:
            ChannelDown: when it took none for sure.
        """

    def settlement(self, principal: str, order_id: str) -> Settlement | None:
        """Ask whether an order's money was credited; None while it was not.

        Raises:
            ChannelDown: when no answer can be believed.
        """

    def buyer_score(self, principal: str, buyer: str) -> BuyerScore | None:
        """Ask for a buyer's credit score; None where the channel has none.

        Raises:
            ChannelDown: when no answer can be believed.
        """

    def statement(self, principal: str, day: date) -> Statement:
        """Fetch the statement of a day; it may not be final yet.

        Raises:
            ChannelDown: when no answer can be believed.
        """

    def read_notice(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """Check a notice and say what it is about.

        Raises:
            NoticeRejected: when signature, time or addressee do not fit.
        """
