"""What is signed: one way to write it, and a hash over exactly what the screen shows."""

import json
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.approvals.challenge import PayloadInvalid, canonical, challenge, shown
from houfu.kernel.clock import shanghai

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    TEXTS | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
SHOWN = {
    "merchant_id": 7,
    "subject": "payout/0193b2c0",
    "version": 1,
    "payload": {"amount_fen": 2_000_000, "payee": "某某", "lots": ["D1", "D2"]},
    "expires_at": shanghai(2025, 11, 12, 10),
}


def test_the_challenge_is_the_hash_of_the_domain_and_the_canonical_text():
    text = (
        '{"expiry":"2025-11-12T02:00:00.000000Z","merchant":7,'
        '"payload":{"amount_fen":2000000,"lots":["D1","D2"],"payee":"某某"},"subject":"payout/0193b2c0","version":1}'
    )
    assert canonical(shown(**SHOWN)) == text
    assert challenge(shown(**SHOWN)) == sha256(b"houfu-approve-v1" + text.encode()).digest()


@pytest.mark.parametrize(
    "changed",
    [
        {"merchant_id": 8},
        {"subject": "payout/0193b2c1"},
        {"version": 2},
        {"expires_at": SHOWN["expires_at"] + timedelta(microseconds=1)},
        {"payload": SHOWN["payload"] | {"amount_fen": 2_000_001}},
        {"payload": SHOWN["payload"] | {"payee": "某 某"}},
        {"payload": SHOWN["payload"] | {"lots": ["D2", "D1"]}},
        {"payload": SHOWN["payload"] | {"more": ""}},
        {"payload": {name: SHOWN["payload"][name] for name in ("amount_fen", "payee")}},
    ],
)
def test_whatever_the_screen_shows_changes_the_challenge(changed):
    assert challenge(shown(**SHOWN)) != challenge(shown(**SHOWN | changed))


def test_keys_are_ordered_by_utf_16_as_the_standard_has_it_and_texts_escaped_its_way():
    # RFC 8785, 3.2.3: by UTF-16 units U+10437 (a surrogate pair) comes before U+FB33; by code points after it.
    said = {"\ufb33": 1, "\U00010437": 2, "1": 3, "\r": 4, "€": 5, "ö": 6, "\x80": 7}
    assert [*json.loads(canonical(said)).values()] == [4, 3, 7, 6, 5, 2, 1]
    assert canonical('\b\t\n\f\r"\\\x00\x1f\x7f/é') == '"\\b\\t\\n\\f\\r\\"\\\\\\u0000\\u001f\x7f/é"'


@pytest.mark.parametrize(
    "said",
    [1.0, True, None, 2**53, -(2**53), {"a": False}, ["a", 0.5], {1: "a"}, b"a", "\ud800", {"\udfff": 1}, {"a": {"b"}}],
)
def test_nothing_but_texts_and_exact_integers_can_be_signed(said):
    with pytest.raises(PayloadInvalid):
        canonical(said)


@settings(max_examples=150, deadline=None)
@given(VALUES, VALUES)
def test_what_is_written_reads_back_as_it_was_and_nothing_else_is_written_so(one, other):
    assert json.loads(canonical(one)) == one
    assert canonical(json.loads(canonical(one))) == canonical(one)
    assert (canonical(one) == canonical(other)) == (one == other)
