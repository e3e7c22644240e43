"""The keys outside the database, and the digests by which sealed data is found."""

import pytest
from django.test import override_settings

from houfu.kernel import vault
from houfu.kernel.vault import VaultClosed
from houfu.testing.threads import in_threads


@pytest.fixture
def home(tmp_path):
    """A data folder whose vault nobody has used yet."""
    with override_settings(HOME=tmp_path):
        yield tmp_path


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
    vault.fingerprint("x", "account")
    assert [path.name for path in (home / "keys").iterdir()] == ["vault.key"]
    assert (home / "keys" / "vault.key").stat().st_mode & 0o777 == 0o400
    assert (home / "keys").stat().st_mode & 0o777 == 0o700
    assert len((home / "keys" / "vault.key").read_bytes()) == 32


def test_another_folders_key_finds_nothing_and_unwraps_nothing(home):
    print_, wrapping = vault.fingerprint("王芳", "holder"), vault.wrapping("vault", 1)
    with override_settings(HOME=home / "other"):
        assert vault.fingerprint("王芳", "holder") != print_
        assert vault.wrapping("vault", 1) != wrapping


def test_all_who_use_a_new_vault_at_once_use_one_key(home):
    assert len(set(in_threads(lambda _: vault.fingerprint("王芳", "holder"), range(16)))) == 1
    assert [path.name for path in (home / "keys").iterdir()] == ["vault.key"]


def test_every_ring_and_every_number_has_a_key_of_its_own(home):
    first = vault.wrapping("vault", 1)
    assert (vault.newest("vault"), vault.renew("vault"), vault.newest("vault")) == (1, 2, 2)
    assert len({first, vault.wrapping("vault", 2), vault.wrapping("webhooks", 1)}) == 3
    assert vault.wrapping("vault", 1) == first
    with pytest.raises(VaultClosed):
        vault.wrapping("vault", 3)
    assert sorted(path.name for path in (home / "keys").iterdir()) == ["vault-2.key", "vault.key", "webhooks.key"]
