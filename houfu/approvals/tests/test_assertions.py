"""A passkey's answer: believed when everything about it is right, and told each thing that is not."""

from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from fido2 import cbor
from fido2.cose import RS256, EdDSA
from hypothesis import given, settings
from hypothesis import strategies as st

from houfu.approvals import assertions
from houfu.approvals.assertions import Party
from houfu.approvals.tests.signing import bent
from houfu.testing.company import ORIGIN, RP_ID, answer, passkey
from houfu.testing.passkeys import PRESENT, VERIFIED

CHALLENGE = b"\x5a" * 32
US = Party(RP_ID, frozenset({ORIGIN}))


def codes(key, assertion, *, public_key=None, above=0):
    found = assertions.faults(
        assertion, public_key=public_key or key.public_key, challenge=CHALLENGE, party=US, above=above
    )
    return [reason.code for reason in found]


def test_a_right_answer_is_believed_and_says_its_count():
    key = passkey()
    first, second = answer(key, CHALLENGE), answer(key, CHALLENGE)
    assert codes(key, first) == []
    assert (assertions.count(first), assertions.count(second)) == (1, 2)
    assert codes(key, second, above=1) == []


def test_an_authenticator_that_never_counts_is_believed_every_time():
    key = passkey()
    assert codes(key, bent(key, CHALLENGE, count=0)) == codes(key, bent(key, CHALLENGE, count=0)) == []


@pytest.mark.parametrize(
    ("how", "above", "fault"),
    [
        ({"said": {"type": "webauthn.create"}}, 0, "assertion_of_other_kind"),
        ({"said": {"type": "payment.get"}}, 0, "assertion_of_other_kind"),
        ({"said": {"challenge": urlsafe_b64encode(b"\x5b" * 32).decode()}}, 0, "assertion_other_challenge"),
        ({"said": {"challenge": urlsafe_b64encode(CHALLENGE).decode()}}, 0, "assertion_other_challenge"),  # padded
        ({"said": {"challenge": ""}}, 0, "assertion_other_challenge"),
        ({"said": {"challenge": 5}}, 0, "assertion_other_challenge"),
        ({"said": {"challenge": "é\ud800"}}, 0, "assertion_other_challenge"),
        ({"said": {"origin": "http://localhost:8901"}}, 0, "assertion_other_origin"),
        ({"said": {"origin": "https://localhost:8900"}}, 0, "assertion_other_origin"),
        ({"said": {"origin": "http://localhost:8900.evil.example"}}, 0, "assertion_other_origin"),
        ({"said": {"origin": "null"}}, 0, "assertion_other_origin"),
        ({"said": {"origin": None}}, 0, "assertion_other_origin"),
        ({"said": {"crossOrigin": True}}, 0, "assertion_other_origin"),
        ({"said": {"topOrigin": "https://evil.example"}}, 0, "assertion_other_origin"),
        ({"rp_id": "evil.example"}, 0, "assertion_other_party"),
        ({"flags": PRESENT}, 0, "assertion_unverified"),
        ({"flags": VERIFIED}, 0, "assertion_unverified"),
        ({"flags": 0}, 0, "assertion_unverified"),
        ({"count": 5}, 5, "assertion_counter_back"),
        ({"count": 4}, 5, "assertion_counter_back"),
        ({"count": 0}, 5, "assertion_counter_back"),
    ],
)
def test_an_answer_that_is_bent_in_one_way_is_refused_for_it_alone(how, above, fault):
    key = passkey()
    assert codes(key, bent(key, CHALLENGE, **how), above=above) == [fault]


def test_all_that_is_wrong_is_said_together():
    key = passkey()
    said = {"type": "webauthn.create", "origin": "https://evil.example"}
    assert codes(key, bent(key, b"other", said=said, rp_id="evil.example", flags=0)) == [
        "assertion_of_other_kind", "assertion_other_challenge", "assertion_other_origin", "assertion_other_party",
        "assertion_unverified",
    ]  # fmt: skip


def test_another_persons_key_does_not_fit():
    key, other = passkey(), passkey()
    assert codes(key, answer(key, CHALLENGE), public_key=other.public_key) == ["assertion_signature_wrong"]


@pytest.mark.parametrize("public_key", [b"\x00", b"\xa0", cbor.encode({1: 2}), cbor.encode({1: 2, 3: -65000})])
def test_what_is_no_key_verifies_nothing(public_key):
    key = passkey()
    assert codes(key, answer(key, CHALLENGE), public_key=public_key) == ["assertion_signature_wrong"]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["authenticator_data", "client_data", "signature"]), st.integers(0, 10_000), st.integers(1, 255))
def test_no_single_byte_may_differ(part, place, by):
    key = passkey()
    given_ = answer(key, CHALLENGE)
    raw = bytearray(getattr(given_, part))
    raw[place % len(raw)] ^= by
    assert codes(key, replace(given_, **{part: bytes(raw)}))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_foreign_bytes_are_refused_and_break_nothing(authenticator_data, client_data, signature):
    key = passkey()
    foreign = {"authenticator_data": authenticator_data, "client_data": client_data, "signature": signature}
    assert codes(key, replace(answer(key, CHALLENGE), **foreign))


@pytest.mark.parametrize("client_data", [b"[]", b"null", b'"x"', b"{", b"\xff", b"[" * 100_000])
def test_client_data_is_one_object(client_data):
    key = passkey()
    assert codes(key, replace(answer(key, CHALLENGE), client_data=client_data)) == ["assertion_malformed"]


def test_keys_of_other_kinds_are_believed_too():
    key = passkey()
    ours = answer(key, CHALLENGE)
    signed = ours.authenticator_data + sha256(ours.client_data).digest()
    edwards = ed25519.Ed25519PrivateKey.generate()
    public = cbor.encode(EdDSA.from_cryptography_key(edwards.public_key()))
    assert codes(key, replace(ours, signature=edwards.sign(signed)), public_key=public) == []
    rivest = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = cbor.encode(RS256.from_cryptography_key(rivest.public_key()))
    made = rivest.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    assert codes(key, replace(ours, signature=made), public_key=public) == []
