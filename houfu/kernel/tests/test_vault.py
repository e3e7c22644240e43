"""What the vault holds is read with its key, at its place, or not at all."""

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from houfu.kernel import vault
from houfu.kernel.vault import VaultClosed
from houfu.testing.threads import in_threads

PLACE = "payouts_beneficiary/7/account/3"
once_for_all = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def home(tmp_path):
    """A data folder whose vault nobody has used yet."""
    with override_settings(HOME=tmp_path):
        yield tmp_path


@once_for_all
@given(st.text(), st.text())
def test_what_was_sealed_for_a_place_is_read_there(home, text, place):
    assert vault.unseal(vault.seal(text, place), place) == text


@pytest.mark.parametrize(
    "other",
    [
        "payouts_beneficiary/7/account/4",
        "payouts_beneficiary/8/account/3",
        "payouts_beneficiary/7/holder/3",
        "payouts_beneficiary/7/account/33",
        "",
    ],
)
def test_a_ciphertext_moved_to_another_place_cannot_be_read(home, other):
    sealed = vault.seal("6222000000000001", PLACE)
    with pytest.raises(VaultClosed) as refused:
        vault.unseal(sealed, other)
    assert refused.value.details == {"place": other}
    assert vault.unseal(sealed, PLACE) == "6222000000000001"


@once_for_all
@given(st.data())
def test_a_ciphertext_with_one_bit_altered_cannot_be_read(home, data):
    sealed = bytearray(vault.seal("6222000000000001", PLACE))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(VaultClosed):
        vault.unseal(bytes(sealed), PLACE)


@pytest.mark.parametrize("length", [0, 5, 12, 27])
def test_a_ciphertext_that_was_cut_short_cannot_be_read(home, length):
    with pytest.raises(VaultClosed):
        vault.unseal(vault.seal("", PLACE)[:length], PLACE)


def test_equal_texts_do_not_look_equal_where_they_lie(home):
    assert vault.seal("王芳", PLACE) != vault.seal("王芳", PLACE)
    assert "王芳".encode() not in vault.seal("王芳", PLACE)


def test_equal_texts_are_found_by_their_fingerprint_for_one_purpose(home):
    account = vault.fingerprint("6222000000000001", "account")
    assert account == vault.fingerprint("6222000000000001", "account")
    others = [
        vault.fingerprint("6222000000000002", "account"),
        vault.fingerprint("6222000000000001", "holder"),
        vault.fingerprint("", "account"),
        vault.fingerprint("account", "6222000000000001"),
    ]
    assert len({account, *others}) == 5


def test_the_key_lies_outside_the_database_and_is_the_owners_alone(home):
    vault.seal("x", PLACE)
    assert [path.name for path in (home / "keys").iterdir()] == ["vault.key"]
    assert (home / "keys" / "vault.key").stat().st_mode & 0o777 == 0o400
    assert (home / "keys").stat().st_mode & 0o777 == 0o700
    assert len((home / "keys" / "vault.key").read_bytes()) == 32


def test_another_folders_key_reads_nothing_and_finds_nothing(home):
    sealed, print_ = vault.seal("王芳", PLACE), vault.fingerprint("王芳", "holder")
    with override_settings(HOME=home / "other"):
        with pytest.raises(VaultClosed):
            vault.unseal(sealed, PLACE)
        assert vault.fingerprint("王芳", "holder") != print_


def test_all_who_use_a_new_vault_at_once_use_one_key(home):
    sealed = in_threads(lambda n: vault.seal(str(n), PLACE), range(16))
    assert [vault.unseal(each, PLACE) for each in sealed] == [str(n) for n in range(16)]
    assert [path.name for path in (home / "keys").iterdir()] == ["vault.key"]


def test_whoever_has_the_key_of_one_ring_opens_nothing_of_another(home):
    sealed = vault.seal("王芳", PLACE, ring="webhooks")
    assert vault.unseal(sealed, PLACE, ring="webhooks") == "王芳"
    with pytest.raises(VaultClosed):
        vault.unseal(sealed, PLACE)
    assert sorted(path.name for path in (home / "keys").iterdir()) == ["vault.key", "webhooks.key"]
