"""What is sealed for a merchant is read with that merchant's key, at its place, or not at all."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houfu.kernel import data_keys, db, isolation, vault
from houfu.kernel.models import DataKey
from houfu.kernel.vault import VaultClosed
from houfu.testing.threads import in_threads
from houfu.testing.world import open_shop

pytestmark = pytest.mark.usefixtures("db")
PLACE = "payouts_beneficiary/7/account/3"
once_for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
seal = db.action(data_keys.seal)
unseal = data_keys.unseal


@pytest.fixture
def merchant():
    return open_shop(own_limit_fen=0).merchant_id


@pytest.fixture
def other():
    return open_shop(own_limit_fen=0).merchant_id


@once_for_all
@given(st.text(), st.text())
def test_what_was_sealed_for_a_place_is_read_there(merchant, text, place):
    assert unseal(seal(text, place, merchant), place, merchant) == text


@pytest.mark.parametrize("elsewhere", [PLACE[:-1] + "4", PLACE.replace("7", "8"), PLACE + "3", ""])
def test_a_ciphertext_moved_to_another_place_cannot_be_read(merchant, elsewhere):
    sealed = seal("6222000000000001", PLACE, merchant)
    with pytest.raises(VaultClosed):
        unseal(sealed, elsewhere, merchant)
    assert unseal(sealed, PLACE, merchant) == "6222000000000001"


@once_for_all
@given(st.data())
def test_a_ciphertext_with_one_bit_altered_cannot_be_read(merchant, data):
    sealed = bytearray(seal("6222000000000001", PLACE, merchant))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(VaultClosed):
        unseal(bytes(sealed), PLACE, merchant)


@pytest.mark.parametrize("length", [0, 5, 16, 28, 43])
def test_a_ciphertext_that_was_cut_short_cannot_be_read(merchant, length):
    with pytest.raises(VaultClosed):
        unseal(seal("", PLACE, merchant)[:length], PLACE, merchant)


def test_equal_texts_do_not_look_equal_where_they_lie(merchant):
    assert seal("王芳", PLACE, merchant) != seal("王芳", PLACE, merchant)
    assert "王芳".encode() not in seal("王芳", PLACE, merchant)


def test_the_key_of_one_merchant_opens_nothing_of_another(merchant, other):
    sealed = seal("王芳", PLACE, merchant)
    seal("x", PLACE, other)
    with pytest.raises(VaultClosed):
        unseal(sealed, PLACE, other)
    theirs = DataKey.objects.get(merchant_id=other, ring="vault")
    with pytest.raises(VaultClosed):  # nor when the number of the other's key is put in front of it
        unseal(theirs.id.bytes + sealed[16:], PLACE, other)
    with isolation.acting(isolation.Party("key/1", other)), pytest.raises(VaultClosed):
        unseal(sealed, PLACE, None)


def test_a_wrapped_key_moved_to_another_merchant_opens_nothing(merchant, other):
    sealed = seal("王芳", PLACE, merchant)
    seal("x", PLACE, other)
    mine, theirs = (DataKey.objects.get(merchant_id=m, ring="vault", state="active") for m in (merchant, other))

    @db.action
    def move():
        DataKey.objects.filter(merchant_id=other, id=theirs.id).update(wrapped=bytes(mine.wrapped))
        with pytest.raises(VaultClosed):
            unseal(theirs.id.bytes + sealed[16:], PLACE, other)
        raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        move()


def test_whoever_has_the_key_of_one_ring_opens_nothing_of_another(merchant):
    sealed = seal("王芳", PLACE, merchant, ring="webhooks")
    assert unseal(sealed, PLACE, merchant, ring="webhooks") == "王芳"
    with pytest.raises(VaultClosed):
        unseal(sealed, PLACE, merchant)


def test_all_who_seal_for_a_new_merchant_at_once_use_one_key():
    fresh = open_shop(own_limit_fen=0).merchant_id
    sealed = in_threads(lambda n: seal(str(n), PLACE, fresh), range(12))
    assert [unseal(each, PLACE, fresh) for each in sealed] == [str(n) for n in range(12)]
    assert DataKey.objects.filter(merchant_id=fresh).count() == 1


def test_outside_an_action_nothing_is_sealed(merchant):
    with pytest.raises(RuntimeError, match="action"):
        data_keys.seal("x", PLACE, merchant)


def test_in_the_database_no_key_lies_in_clear(merchant):
    seal("x", PLACE, merchant)
    key = DataKey.objects.get(merchant_id=merchant, ring="vault", state="active")
    clear = data_keys._unwrapped(key)
    assert len(clear) == 32
    assert clear not in bytes(key.wrapped)


def test_a_key_outside_that_is_missing_is_not_made_anew():
    with pytest.raises(VaultClosed):
        vault.wrapping("vault", 99)
