"""Data keys changed while the house is at work, wrapped anew, and destroyed."""

import json
import threading
from itertools import count
from uuid import UUID

import pytest
from django.conf import settings

from houfu.history import queries as history
from houfu.kernel import data_keys as sealing
from houfu.kernel import db, isolation, vault
from houfu.kernel.errors import Forbidden
from houfu.kernel.models import DataKey
from houfu.kernel.vault import VaultClosed
from houfu.payouts import actions as payouts
from houfu.payouts.actions.beneficiaries import payee
from houfu.payouts.models import Beneficiary
from houfu.people.sign_in import sealing as factors
from houfu.site import data_keys
from houfu.testing.threads import in_threads
from houfu.testing.world import OPERATOR, open_shop
from houfu.webhooks import actions as webhooks
from houfu.webhooks import queries as webhook_queries

pytestmark = pytest.mark.usefixtures("db")
_numbers = count(1)


@pytest.fixture
def shop():
    return open_shop(own_limit_fen=0)


def register(shop):
    account = f"{next(_numbers)}@shop.example"
    made = payouts.register(
        by=shop.owner, merchant_id=shop.merchant_id, kind="alipay", purpose_class="goods_settlement", holder="某某",
        account=account,
    )  # fmt: skip
    return made.id, account


def accounts(shop):
    return {row.id: payee(row).account for row in Beneficiary.objects.filter(merchant_id=shop.merchant_id)}


def states(shop, ring="vault"):
    found = DataKey.objects.filter(merchant_id=shop.merchant_id, ring=ring)
    return sorted(found.values_list("state", flat=True))


def rotate(shop, ring="vault"):
    return data_keys.rotate(by=OPERATOR, merchant_id=shop.merchant_id, ring=ring)


def keys_in_use(shop):
    """Return the numbers of the keys that have sealed this merchant's accounts, as they lie."""
    found = Beneficiary.objects.filter(merchant_id=shop.merchant_id).values_list("account_sealed", flat=True)
    return {UUID(bytes=bytes(sealed)[:16]) for sealed in found}


def test_a_new_key_seals_again_all_that_the_old_one_has_sealed(shop, monkeypatch):
    monkeypatch.setattr(data_keys, "BATCH", 2)
    before = dict(register(shop) for _ in range(5))
    prints = set(Beneficiary.objects.filter(merchant_id=shop.merchant_id).values_list("account_digest", flat=True))
    (old,) = keys_in_use(shop)
    assert rotate(shop) == 5
    assert accounts(shop) == before
    assert keys_in_use(shop).isdisjoint({old})
    assert len(keys_in_use(shop)) == 1
    assert states(shop) == ["active", "retired"]
    after = set(Beneficiary.objects.filter(merchant_id=shop.merchant_id).values_list("account_digest", flat=True))
    assert after == prints  # found as before
    verbs = [link.verb for link in history.links(shop.merchant_id) if link.verb.startswith("data_key.")]
    assert verbs == ["data_key.retired", "data_key.rotated"]


def test_a_backup_is_read_with_the_retired_key(shop):
    id_, account = register(shop)
    backup = Beneficiary.objects.get(merchant_id=shop.merchant_id, id=id_)
    rotate(shop)
    assert payee(backup).account == account


@pytest.mark.slow
def test_nothing_is_lost_while_others_go_on_sealing(shop):
    """Six register accounts while the key is changed three times: each account is read, none by a key that went."""
    register(shop)
    stop = threading.Event()
    known = {}

    def work(number):
        if number == 0:
            try:
                for _ in range(3):
                    rotate(shop)
            finally:
                stop.set()
            return
        while not stop.is_set() and len(known) < 400:
            id_, account = register(shop)
            known[id_] = account

    in_threads(work, range(7))
    rotate(shop)
    found = accounts(shop)
    assert known.items() <= found.items()
    assert len(known) >= 6
    active = DataKey.objects.get(merchant_id=shop.merchant_id, ring="vault", state="active")
    assert keys_in_use(shop) == {active.id}
    assert set(states(shop)) == {"active", "retired"}


def test_stopped_half_way_it_is_finished_the_next_time(shop, monkeypatch):
    before = dict(register(shop) for _ in range(3))
    monkeypatch.setattr(data_keys, "RESEALINGS", ())

    def cut(**_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(data_keys, "_retire", cut)
        with pytest.raises(KeyboardInterrupt):
            rotate(shop)
    assert states(shop) == ["retiring"]
    assert accounts(shop) == before
    more = register(shop)
    monkeypatch.undo()
    rotate(shop)
    assert accounts(shop) == {**before, more[0]: more[1]}
    assert states(shop) == ["active", "retired", "retired"]


def test_what_signs_webhooks_is_sealed_again_by_its_own_ring(shop):
    endpoint, _ = webhooks.add(
        by=shop.owner, merchant_id=shop.merchant_id, url="https://hooks.example.com/a", verbs=["*"]
    )
    before = [(signer.secret, signer.private) for signer in webhook_queries.signers(shop.merchant_id, endpoint.id)]
    assert rotate(shop) == 0
    assert rotate(shop, "webhooks") == 1
    after = [(signer.secret, signer.private) for signer in webhook_queries.signers(shop.merchant_id, endpoint.id)]
    assert before == after
    assert states(shop, "webhooks") == ["active", "retired"]


def test_secrets_of_factors_are_sealed_again_wherever_they_lie_in_their_row(shop):
    user_id = db.rows(
        "INSERT INTO auth_user (username, password, is_superuser, is_staff, is_active, first_name, last_name, email,"
        " date_joined) VALUES (%s, '', false, false, true, '', '', '', now()) RETURNING id",
        [f"{shop.merchant_id}-factor"],
    )[0].id
    db.rows("INSERT INTO people_login VALUES (%s, %s, %s)", [user_id, shop.merchant_id, shop.owner.staff_id])
    seal = db.action(factors.sealed)
    data = {"secret": seal("JBSWY3DP", user_id), "codes": [seal("a", user_id), "plain"], "used": 3}
    db.rows(
        "INSERT INTO mfa_authenticator (user_id, type, data, created_at) VALUES (%s, 'totp', %s::jsonb, now())",
        [user_id, json.dumps(data)],
    )
    assert rotate(shop) == 1
    found = json.loads(db.rows("SELECT data FROM mfa_authenticator WHERE user_id = %s", [user_id])[0].data)
    assert found["secret"] != data["secret"]
    assert factors.opened(found["secret"]) == "JBSWY3DP"
    assert factors.opened(found["codes"][0]) == "a"
    assert (found["codes"][1], found["used"]) == ("plain", 3)


def test_all_that_is_sealed_can_be_sealed_again():
    """A column that holds something sealed is known to whoever changes a key."""
    found = db.rows(
        "SELECT DISTINCT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname LIKE '%%sealed'"
    )
    assert {row.name for row in found} | {"mfa_authenticator"} == {each.table for each in data_keys.RESEALINGS}


def test_a_new_key_outside_wraps_every_data_key_and_the_old_file_still_reads_old_backups(fresh_db, tmp_path):
    shop = open_shop(own_limit_fen=0)
    id_, account = register(shop)
    old = DataKey.objects.get(merchant_id=shop.merchant_id, ring="vault")
    number, done = data_keys.rewrap(by=OPERATOR, ring="vault")
    try:
        assert done >= 1
        assert number == vault.newest("vault")
        new = DataKey.objects.get(merchant_id=shop.merchant_id, ring="vault")
        assert (new.id, new.kek, bytes(new.wrapped) != bytes(old.wrapped)) == (old.id, number, True)
        assert accounts(shop) == {id_: account}
        assert sealing._unwrapped(old) == sealing._unwrapped(new)
        fresh = open_shop(own_limit_fen=0)
        register(fresh)
        assert DataKey.objects.get(merchant_id=fresh.merchant_id, ring="vault").kek == number
        (settings.HOME / "keys" / f"vault-{number}.key").rename(tmp_path / "away")
        vault.kept_key.cache_clear()
        with pytest.raises(VaultClosed):
            accounts(shop)
    finally:
        (settings.HOME / "keys" / f"vault-{number}.key").unlink(missing_ok=True)
        vault.kept_key.cache_clear()


def uscc(shop):
    return db.rows("SELECT uscc FROM merchants_merchant WHERE merchant_id = %s", [shop.merchant_id])[0].uscc


def erase(shop, **said):
    wanted = {
        "by": OPERATOR,
        "merchant_id": shop.merchant_id,
        "confirm": uscc(shop),
        "reason": "个保法第四十七条",
        **said,
    }
    return data_keys.erase(**wanted)


def test_destroying_a_merchants_keys_leaves_its_data_unread_and_others_alone(shop):
    other = open_shop(own_limit_fen=0)
    kept = dict([register(other)])
    id_, _ = register(shop)
    payouts.revoke(by=shop.owner, merchant_id=shop.merchant_id, id=id_)
    rotate(shop)
    assert erase(shop) == 2
    assert states(shop) == ["destroyed", "destroyed"]
    assert not DataKey.objects.filter(merchant_id=shop.merchant_id, wrapped__isnull=False).exists()
    with pytest.raises(VaultClosed):
        accounts(shop)
    assert accounts(other) == kept
    assert history.links(shop.merchant_id)[0].verb == "data_key.destroyed"


def test_keys_that_are_needed_are_not_destroyed():
    shop = open_shop()
    shop.earn(500_000)
    shop.payee()
    shop.request(10_000)
    webhooks.add(by=shop.owner, merchant_id=shop.merchant_id, url="https://hooks.example.com/a", verbs=["*"])
    with pytest.raises(data_keys.EraseRefused) as refused:
        erase(shop)
    assert [r.code for r in refused.value.reasons] == ["payouts_open", "accounts_usable", "endpoints_told"]
    with pytest.raises(data_keys.EraseUnconfirmed):
        erase(shop, confirm="91330100MA2AXXXX1X")
    with pytest.raises(data_keys.EraseUnconfirmed):
        erase(shop, reason=" ")
    with pytest.raises(Forbidden):
        erase(shop, by=shop.owner)
    assert states(shop) == ["active"]
    assert len(accounts(shop)) == 1


def test_a_merchants_statement_cannot_read_anothers_wrapped_key(shop):
    register(shop)
    with isolation.acting(open_shop(own_limit_fen=0).owner):
        assert not DataKey.objects.filter(merchant_id=shop.merchant_id).exists()
