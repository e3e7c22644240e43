"""Signed requests: a key with a public key moves money only by them, each of them once, and never altered."""

import base64
import importlib.util
import json
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import houfu
from houfu.kernel import db, versions
from houfu.kernel.errors import Forbidden
from houfu.people import actions as people
from houfu.people import queries
from houfu.people.actions.keys import PublicKeyUnreadable
from houfu.people.actor import SignatureNeeded
from houfu.people.sign_in import signatures
from houfu.testing.threads import in_threads
from houfu.testing.web import Browser
from houfu.testing.world import OPERATOR

FILE = Path(houfu.__file__).parent.parent / "docs" / "examples" / "signed_request.py"
_spec = importlib.util.spec_from_file_location("signed_request", FILE)
example = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(example)  # what the documents show is what is tried here

SCOPES = ["merchants:read", "merchants:write", "payouts:write", "orders:write"]


class Client:
    """A program with a key, which signs as the documents show."""

    def __init__(self, address, shop, *, public=True):
        self.private = Ed25519PrivateKey.generate()
        said = base64.b64encode(self.private.public_key().public_bytes_raw()).decode() if public else None
        self.key, self.token = people.create_key(
            by=shop.owner, merchant_id=shop.merchant_id, name="erp", scopes=SCOPES, public_key=said
        )
        self.send = Browser(address)
        self.shop = shop

    def store(self, code):
        return {"code": code, "name": "新店", "channel_account_id": self.shop.account_id}

    def headers(self, method, path, body=None, **said):
        raw = b"" if body is None else json.dumps(body).encode()
        return example.signed(self.private, self.token, method, path, raw, **said)

    def __call__(self, method, path, body=None, headers=None, **changed):
        """Send a request, signed unless headers are given; changed headers are changed after signing."""
        sent = {**(self.headers(method, path, body) if headers is None else headers), **changed}
        status, said = self.send(method, path, body, **{name.replace("-", "_"): v for name, v in sent.items()})
        return status, said.get("code") if status >= 400 else said

    @property
    def bearer(self):
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture
def client(address, own_shop):
    return Client(address, own_shop)


def stores(shop):
    return [row.code for row in db.rows("SELECT code FROM merchants_store WHERE merchant_id = %s", [shop.merchant_id])]


def test_what_is_signed_as_the_documents_show_is_done(client, own_shop):
    assert client("POST", "/v1/stores", client.store("S9"))[0] == 201
    headers = client.headers("POST", "/v1/stores", client.store("S8"), idempotency_key="k1")
    assert client("POST", "/v1/stores", client.store("S8"), headers)[0] == 201
    assert client("GET", "/v1/stores?limit=2")[0] == 200
    assert {"S8", "S9"} <= set(stores(own_shop))


def test_by_a_key_with_a_public_key_nothing_that_moves_money_goes_unsigned(client, own_shop):
    before = stores(own_shop)
    assert client("POST", "/v1/stores", client.store("S9"), client.bearer) == (403, "signature_needed")
    keys = f"/v1/merchants/{own_shop.merchant_id}/keys"
    found = client("POST", keys, {"name": "x", "scopes": ["orders:read"]}, client.bearer)
    assert found == (403, "signature_needed")
    assert client("GET", "/v1/stores", None, client.bearer)[0] == 200
    assert stores(own_shop) == before
    for scope in ("payouts:write", "limits:write", "merchants:write"):
        with pytest.raises((SignatureNeeded, Forbidden)):
            queries.actor_of(client.token).require(scope, own_shop.merchant_id)
    queries.actor_of(client.token).require("orders:write", own_shop.merchant_id)  # no money goes out by an order


def test_a_request_that_was_overheard_is_not_done_again(client, own_shop):
    body = client.store("S9")
    overheard = client.headers("POST", "/v1/stores", body)
    assert client("POST", "/v1/stores", body, overheard)[0] == 201
    assert client("POST", "/v1/stores", body, overheard) == (401, "signature_replayed")


def test_of_many_with_one_nonce_one_is_done(client, own_shop):
    overheard = client.headers("GET", "/v1/stores")
    answers = in_threads(lambda _: Client.__call__(client, "GET", "/v1/stores", None, overheard)[0], range(4))
    assert sorted(answers) == [200, 401, 401, 401]


@pytest.mark.parametrize(
    "changed",
    [
        {"path": "/v1/groups"},
        {"path": "/v1/stores?x=1"},
        {"signed_for": "PUT"},
        {"body": {"code": "S7", "name": "别的店", "channel_account_id": 1}},
        {"headers": {"Content-Digest": "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"}},
        {"headers": {"Content-Digest": None}},
        {"headers": {"Signature": None}},
        {"headers": {"Signature-Input": None}},
        {"headers": {"Signature": "houfu=:AAAA:"}},
        {"headers": {"Signature": "no"}},
        {"headers": {"Idempotency-Key": "not-signed"}},
    ],
    ids=str,
)
def test_what_was_altered_after_signing_is_refused(client, own_shop, changed):
    before = stores(own_shop)
    body = client.store("S9")
    headers = {**client.headers(changed.get("signed_for", "POST"), "/v1/stores", body), **changed.get("headers", {})}
    found = client("POST", changed.get("path", "/v1/stores"), changed.get("body", body), headers)
    assert found == (401, "signature_wrong")
    assert stores(own_shop) == before


def test_another_keys_signature_and_another_keys_name_open_nothing(client, address, own_shop):
    other = Client(address, own_shop)
    body = client.store("S9")
    theirs = {**other.headers("POST", "/v1/stores", body), **client.bearer}
    assert client("POST", "/v1/stores", body, theirs) == (401, "signature_wrong")
    unknown = Client(address, own_shop, public=False)
    assert unknown("POST", "/v1/stores", body) == (401, "signature_wrong")


@pytest.mark.parametrize(("seconds", "expected"), [(-301, 401), (-290, 201), (290, 201), (310, 401)])
def test_a_signature_holds_for_five_minutes(client, monkeypatch, seconds, expected):
    said = int(time.time()) + seconds
    monkeypatch.setattr(example.time, "time", lambda: said)
    headers = client.headers("POST", "/v1/stores", client.store("S9"))
    monkeypatch.undo()
    assert client("POST", "/v1/stores", client.store("S9"), headers)[0] == expected


def test_a_nonce_is_neither_missing_nor_short(client, monkeypatch):
    for nonce in ("", "short", "n" * 65):
        monkeypatch.setattr(example.secrets, "token_hex", lambda _, nonce=nonce: nonce)
        assert client("GET", "/v1/stores") == (401, "signature_wrong")


def test_nonces_are_forgotten_when_their_requests_are_too_old_to_come_again(client, own_shop, later):
    client("GET", "/v1/stores")
    kept = "SELECT count(*) AS n FROM people_nonce WHERE merchant_id = %s"
    later(minutes=9)
    signatures.forget()
    assert db.rows(kept, [own_shop.merchant_id])[0].n == 1
    later(minutes=2)
    signatures.forget()
    assert db.rows(kept, [own_shop.merchant_id])[0].n == 0


def want_signatures(shop, required):
    people.set_profile(by=shop.owner, merchant_id=shop.merchant_id, signatures_required=required, face_allowed=False)


def test_a_merchant_may_want_every_key_to_sign(address, own_shop):
    plain = Client(address, own_shop, public=False)
    assert plain("POST", "/v1/stores", plain.store("S9"), plain.bearer)[0] == 201
    want_signatures(own_shop, True)
    assert plain("POST", "/v1/stores", plain.store("S8"), plain.bearer) == (403, "signature_needed")
    signing = Client(address, own_shop)
    assert signing("POST", "/v1/stores", signing.store("S7"))[0] == 201
    want_signatures(own_shop, False)
    assert plain("POST", "/v1/stores", plain.store("S6"), plain.bearer)[0] == 201


@pytest.mark.parametrize("said", ["", "AAAA", "no base64", base64.b64encode(bytes(33)).decode()])
def test_a_public_key_that_is_none_is_not_taken(own_shop, said):
    with pytest.raises(PublicKeyUnreadable):
        people.create_key(
            by=OPERATOR, merchant_id=own_shop.merchant_id, name="x", person="w", scopes=["orders:read"], public_key=said
        )
    assert queries.keys(own_shop.merchant_id) == []


def test_a_key_speaks_the_version_it_was_made_for_unless_the_request_says_another(client, monkeypatch):
    client("GET", "/v1/stores", None, client.bearer)
    assert ("Houfu-Version", versions.NEWEST) in client.send.headers
    monkeypatch.setattr(versions, "VERSIONS", (*versions.VERSIONS, "2027-01-01"))
    monkeypatch.setattr(versions, "NEWEST", "2027-01-01")
    client("GET", "/v1/stores", None, client.bearer)
    assert ("Houfu-Version", "2025-11-01") in client.send.headers  # the key stays with its own
    client("GET", "/v1/stores", None, client.bearer, Houfu_Version="2027-01-01")
    assert ("Houfu-Version", "2027-01-01") in client.send.headers
    assert client("GET", "/v1/stores", None, client.bearer, Houfu_Version="2020-01-01") == (422, "version_unknown")
