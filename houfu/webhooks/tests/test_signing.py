"""Signatures, as somebody else's library reads them."""

import base64
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from houfu.webhooks import signing

BODY = '{"type":"payout.paid","subject":"王芳"}'.encode()


def signed(*signers, body=BODY, id="msg_1", at=None):
    return signing.headers(signers, id, at or int(time.time()), body)


def ed25519_holds(public_text, headers, body):
    """Verify v1a by the letter of the standard, with nothing of ours."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_text.removeprefix("whpk_")))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for signature in headers["webhook-signature"].split(" "):
        version, _, value = signature.partition(",")
        if version == "v1a":
            try:
                key.verify(base64.b64decode(value), text)
            except InvalidSignature:
                continue
            return True
    return False


def test_the_standard_library_verifies_what_we_sign():
    signer = signing.new_signer()
    assert Webhook(signer.secret_text).verify(BODY, signed(signer))["type"] == "payout.paid"
    assert ed25519_holds(signer.public_text, signed(signer), BODY)


def test_we_sign_as_the_standard_library_does():
    signer = signing.new_signer()
    at = int(time.time())
    from datetime import UTC, datetime

    theirs = Webhook(signer.secret_text).sign("msg_1", datetime.fromtimestamp(at, UTC), BODY.decode())
    assert theirs in signed(signer, at=at)["webhook-signature"].split(" ")


@pytest.mark.parametrize("part", ["body", "id", "time", "signature"])
def test_whatever_is_altered_is_found(part):
    signer = signing.new_signer()
    headers, body = signed(signer), BODY
    if part == "body":
        body = BODY.replace(b"paid", b"lost")
    elif part == "id":
        headers["webhook-id"] = "msg_2"
    elif part == "time":
        headers["webhook-timestamp"] = str(int(headers["webhook-timestamp"]) + 1)
    else:
        headers["webhook-signature"] = signed(signing.new_signer())["webhook-signature"]
    with pytest.raises(WebhookVerificationError):
        Webhook(signer.secret_text).verify(body, headers)
    assert not ed25519_holds(signer.public_text, headers, body)


def test_while_keys_rotate_both_verify():
    old, new, stranger = (signing.new_signer() for _ in range(3))
    headers = signed(new, old)
    for signer in (old, new):
        Webhook(signer.secret_text).verify(BODY, headers)
        assert ed25519_holds(signer.public_text, headers, BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(stranger.secret_text).verify(BODY, headers)
    assert len(headers["webhook-signature"].split(" ")) == 4


def test_keys_are_long_and_never_alike():
    made = [signing.new_signer() for _ in range(10)]
    assert len({signer.secret for signer in made} | {signer.private for signer in made}) == 20
    assert {len(signer.secret) for signer in made} == {32}
