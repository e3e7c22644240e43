"""What an order looks like at the door, read and answered exactly as the API does it."""

import re
from datetime import datetime

import msgspec

from houfu.kernel import clock
from houfu.kernel.db import OutOfRange
from houfu.kernel.errors import Invalid, NotFound, Refused
from houfu.kernel.http import MerchantKeyNeeded, details_of, strict_json
from houfu.kernel.money import FEN_MAX
from houfu.orders import actions
from houfu.orders.actions import Asked, BadOrder, Decision
from houfu.orders.api import OrderIdReused
from houfu.orders.steps import refuse_future
from houfu.people.actor import Actor

BODY_MAX = 64 * 1024  # bytes of one order; a line of a stream has as many
_PLAIN = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_json = msgspec.json.Encoder(enc_hook=str)


class TooLarge(Invalid):
    """This is more than an order can say."""

    code = "body_too_large"
    status = 413


class OrderIn(msgspec.Struct, forbid_unknown_fields=True):
    """An order as it is asked for; the same as the API's NewOrder."""

    id: str
    store_id: int
    amount_fen: int
    buyer: str | None = None
    at: str | None = None


class _Plain(OrderIn):
    """An order in which what is not there and what is null can be told apart."""

    buyer: str | msgspec.UnsetType | None = msgspec.UNSET  # type: ignore[assignment]
    at: str | msgspec.UnsetType | None = msgspec.UNSET  # type: ignore[assignment]


_plain = msgspec.json.Decoder(_Plain)


def read_order(body: bytes, by: Actor) -> Asked:
    """Read an order from its JSON.

    What the database would refuse about it is refused here, so that it does not hold up those decided with it.

    Raises:
        Invalid, OutOfRange: it has not the form of an order.
        MerchantKeyNeeded, Forbidden: this key asks for no orders.
        BadOrder, InTheFuture: no such order can be.
    """
    if (asked := _read_plain(body, by)) is not None:
        return asked
    if len(body) > BODY_MAX:
        raise TooLarge(most=BODY_MAX)
    try:
        said = msgspec.convert(strict_json(body), OrderIn)
        at = _instant(said.at) if said.at is not None else clock.now()
        if not 1 <= said.amount_fen <= FEN_MAX:
            raise ValueError(f"amount_fen is from 1 to {FEN_MAX}")
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise Invalid(fields=[{"field": "body", "said": str(error)}]) from error
    if by.merchant_id is None:
        raise MerchantKeyNeeded()
    refuse_future(at)
    by.require("orders:write")
    if not -(2**63) <= said.store_id < 2**63:
        raise OutOfRange()
    for text in (said.id, said.buyer):
        if text is not None and not _PLAIN.fullmatch(text):
            raise OutOfRange() if any("\ud800" <= char <= "\udfff" for char in text) else BadOrder()
    return Asked(by, actions.NewOrder(by.merchant_id, said.id, said.store_id, said.amount_fen, at, said.buyer))


def _read_plain(body: bytes, by: Actor) -> Asked | None:
    """Read an order about which there is nothing to say; None says that it must be looked at closely.

    Without a backslash every string has two quotation marks, so that their number shows a name that stands twice.
    """
    if len(body) > BODY_MAX or b"\\" in body or not body.isascii() or by.merchant_id is None:
        return None
    try:
        said = _plain.decode(body)
        at = clock.now()
        if said.at:
            at = _instant(said.at)
            refuse_future(at)
    except (ValueError, Refused):
        return None
    names = 3 + (said.buyer is not msgspec.UNSET) + (said.at is not msgspec.UNSET)
    texts = [text for text in (said.id, said.buyer, said.at) if isinstance(text, str)]
    if (
        body.count(b'"') != 2 * (names + len(texts))
        or not 1 <= said.amount_fen <= FEN_MAX
        or not -(2**63) <= said.store_id < 2**63
        or not _PLAIN.fullmatch(said.id)
        or not (said.buyer is msgspec.UNSET or said.buyer is None or _PLAIN.fullmatch(said.buyer))
        or said.at == ""
        or "orders:write" not in by.scopes
    ):
        return None
    buyer = said.buyer or None
    return Asked(by, actions.NewOrder(by.merchant_id, said.id, said.store_id, said.amount_fen, at, buyer))


def _instant(said: str) -> datetime:
    at = datetime.fromisoformat(said)
    if at.tzinfo is None:
        raise ValueError("an instant is written as 2025-11-11T10:00:00+08:00")
    return at


def answer(asked: Asked, decision: Decision) -> tuple[int, bytes]:
    """Return status and body of a decision, as the API gives them.

    Raises:
        OrderIdReused, NotFound: nothing was kept of this order.
    """
    if decision.state == "refused":
        if "order_id_reused" in decision.reasons:
            raise OrderIdReused(id=decision.id)
        raise NotFound(store_id=asked.order.store_id)
    return 200 if decision.repeated else 201, encode(decision)


def problem(refusal: Refused) -> bytes:
    """Return a refusal as problem details."""
    return encode(details_of(refusal))


def encode(said: object) -> bytes:
    """Return plain values as JSON, spaced as the API spaces it."""
    return msgspec.json.format(_json.encode(said), indent=0)
