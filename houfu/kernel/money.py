"""Money: integer fen, and the few ways in which it may be read, rounded and written."""

import re

from houfu.kernel.errors import Invalid

FEN_MAX = 10**13  # one hundred billion yuan; a leg above it is a mistake, not a sale (I-01)

_YUAN = re.compile(r"(?P<sign>-?)(?P<yuan>[0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.(?P<cents>[0-9]{1,2}))?", re.ASCII)


class BadAmount(Invalid):
    """An amount must be written as yuan with at most two decimals, in ASCII digits."""

    code = "amount_unreadable"


def parse_yuan(text: str) -> int:
    """Read an amount in yuan, such as "1,234.5", as fen.

    Raises:
        BadAmount: for anything but ASCII digits with at most two decimals; full-width digits, exponents, more
            decimals and separators that are not between thousands are refused rather than guessed.
    """
    match = _YUAN.fullmatch(text.strip())
    if not match:
        raise BadAmount(text=text[:40])
    fen = int(match["yuan"].replace(",", "")) * 100 + int((match["cents"] or "0").ljust(2, "0"))
    if fen > FEN_MAX:
        raise BadAmount(text=text[:40])
    return -fen if match["sign"] else fen


def yuan(fen: int) -> str:
    """Write fen as yuan with separators, such as 123450 as "1,234.50"."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def share_half_up(amount_fen: int, rate: int, base: int) -> int:
    """Return `amount_fen × rate ÷ base` rounded half-up to the fen, for amounts that are not negative (P3)."""
    return (2 * amount_fen * rate + base) // (2 * base)


def share_down(amount_fen: int, rate: int, base: int) -> int:
    """Return `amount_fen × rate ÷ base` rounded down to the fen (P5)."""
    return amount_fen * rate // base
