"""Amounts are read strictly, written one way, and rounded the way the name says."""

from contextlib import suppress
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from houfu.kernel.money import FEN_MAX, BadAmount, parse_yuan, share_down, share_half_up, yuan

amounts = st.integers(-FEN_MAX, FEN_MAX)
rates = st.integers(0, 1000)


@given(amounts)
def test_what_is_written_reads_back_as_the_same_amount(fen):
    assert parse_yuan(yuan(fen)) == fen
    assert parse_yuan(yuan(fen).replace(",", "")) == fen


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("-0.00", 0),
        ("0.01", 1),
        ("0.1", 10),
        ("100", 100_00),
        ("1,234.5", 1_234_50),
        ("1,234,567", 1_234_567_00),
        (" 12.30\n", 12_30),
        ("-7.05", -7_05),
        ("007", 7_00),
        ("100,000,000,000.00", FEN_MAX),
    ],
)
def test_yuan_are_read_as_fen(text, fen):
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", ".", ".5", "5.", "+5", "--5", "5-", "1e3", "1E3", "0x10", "１２３", "12．5", "١٢", "½", "一百",
        "1.234", "0.001", "1.2.3", "1 000", "¥5", "5元", "NaN", "inf", "1_000", "−5", "12,34", "1,2345", "1,23.4", ",5",
        "5,", "1.2,3", "1,,000", "0100,000", "100,000,000,000.01", "9" * 15, "9" * 40,
    ],
)  # fmt: skip
def test_what_could_be_meant_otherwise_is_refused_and_not_guessed(text):
    with pytest.raises(BadAmount):
        parse_yuan(text)


@given(st.text(max_size=12))
def test_no_text_that_is_read_as_an_amount_has_anything_else_in_it(text):
    with suppress(BadAmount):
        fen = parse_yuan(text)
        assert parse_yuan(yuan(fen)) == fen
        assert set(text.strip()) <= set("-0123456789,.")


@given(st.integers(0, FEN_MAX), rates)
def test_a_fee_is_rounded_half_up_to_the_fen(amount_fen, rate):
    """P3."""
    assert share_half_up(amount_fen, rate, 1000) == floor(Fraction(amount_fen * rate, 1000) + Fraction(1, 2))


@pytest.mark.parametrize(("amount_fen", "fee_fen"), [(10_000, 80), (10_062, 80), (10_063, 81), (62, 0), (63, 1)])
def test_half_a_fen_is_rounded_up(amount_fen, fee_fen):
    """At 0.8 %, 62.5 fen would owe half a fen; 10,062.5 fen 80.5."""
    assert share_half_up(amount_fen, 8, 1000) == fee_fen


def test_exactly_half_goes_up():
    assert [share_half_up(amount_fen, 1, 2) for amount_fen in range(5)] == [0, 1, 1, 2, 2]


@given(st.integers(0, FEN_MAX), rates, st.integers(1, 10_000))
def test_a_share_rounded_down_never_gives_more_than_there_is(amount_fen, rate, base):
    """P5."""
    share = share_down(amount_fen, rate, base)
    assert share * base <= amount_fen * rate < (share + 1) * base


@given(st.integers(0, FEN_MAX), st.integers(0, FEN_MAX))
def test_what_a_run_may_sweep_is_covered_and_one_fen_more_is_not(available_fen, more_fen):
    """P5: available ≥ 1.5 × the amount."""
    largest = share_down(available_fen, 1000, 1500)
    assert available_fen * 1000 >= largest * 1500
    assert available_fen * 1000 < (largest + 1 + more_fen) * 1500
