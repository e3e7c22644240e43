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
from houfu.approvals.tests.signing import bent
from houfu.testing.company import RP_ID, answer, passkey
from houfu.testing.passkeys import PRESENT, VERIFIED

CHALLENGE = b"\x5a" * 32


def codes(key, assertion, *, public_key=None):
    found = assertions.faults(assertion, public_key=public_key or key.public_key, rp_id=RP_ID, challenge=CHALLENGE)
    return [reason.code for reason in found]


def test_a_right_answer_is_believed_and_says_its_count():
    key = passkey()
    first, second = answer(key, CHALLENGE), answer(key, CHALLENGE)
    assert codes(key, first) == []
    assert (assertions.count(first), assertions.count(second)) == (1, 2)
    assert codes(key, second) == []


@pytest.mark.parametrize(
    ("origin", "rp_id", "believed"),
    [
        ("https://houfu.example", "houfu.example", True),
        ("https://houfu.example:8443", "houfu.example", True),
        ("http://houfu.example", "houfu.example", False),
        ("https://pay.houfu.example", "houfu.example", False),
        ("https://houfu.example", "pay.houfu.example", False),
        ("https://houfu-example", "houfu.example", False),
        ("https://houfu.example@evil.example", "houfu.example", False),
        ("https://[houfu.example", "houfu.example", False),
        ("", "", False),
        ("https://localhost", "localhost", True),
        ("http://localhost:8900", "localhost", True),
    ],
)
def test_a_page_is_ours_at_the_very_name_of_the_passkey_and_over_tls(origin, rp_id, believed):
    key = passkey()
    given_ = bent(key, CHALLENGE, said={"origin": origin}, rp_id=rp_id)
    found = assertions.faults(given_, public_key=key.public_key, rp_id=rp_id, challenge=CHALLENGE)
    assert [reason.code for reason in found] == ([] if believed else ["assertion_other_origin"])


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"said": {"type": "webauthn.create"}}, "assertion_of_other_kind"),
        ({"said": {"type": "payment.get"}}, "assertion_of_other_kind"),
        ({"said": {"challenge": urlsafe_b64encode(b"\x5b" * 32).decode()}}, "assertion_other_challenge"),
        ({"said": {"challenge": urlsafe_b64encode(CHALLENGE).decode()}}, "assertion_other_challenge"),  # padded
        ({"said": {"challenge": ""}}, "assertion_other_challenge"),
        ({"said": {"challenge": 5}}, "assertion_other_challenge"),
        ({"said": {"challenge": "é\ud800"}}, "assertion_other_challenge"),
        ({"said": {"origin": "http://127.0.0.1:8900"}}, "assertion_other_origin"),
        ({"said": {"origin": "http://localhost:8900.evil.example"}}, "assertion_other_origin"),
        ({"said": {"origin": "null"}}, "assertion_other_origin"),
        ({"said": {"origin": None}}, "assertion_other_origin"),
        ({"said": {"crossOrigin": True}}, "assertion_other_origin"),
        ({"said": {"topOrigin": "https://evil.example"}}, "assertion_other_origin"),
        ({"rp_id": "evil.example"}, "assertion_other_party"),
        ({"flags": PRESENT}, "assertion_unverified"),
        ({"flags": VERIFIED}, "assertion_unverified"),
        ({"flags": 0}, "assertion_unverified"),
    ],
)
def test_an_answer_that_is_bent_in_one_way_is_refused_for_it_alone(how, fault):
    key = passkey()
    assert codes(key, bent(key, CHALLENGE, **how)) == [fault]


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
