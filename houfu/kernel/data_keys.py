"""Data keys: each merchant's sealed data has a key of its own, wrapped by a key outside the database (4.7).

The key outside is a file of the data folder, one for each ring: `keys/vault.key`, after a change `keys/vault-2.key`,
and so on. What is sealed begins with the number of its data key, so that it is read by that one and no other; a data
key is looked at every time, so that one that was destroyed reads nothing any more.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import connection

from houfu.kernel import clock, db, states, vault
from houfu.kernel.models import DataKey
from houfu.kernel.vault import VaultClosed

DATA_KEY = states.table(
    rotate=("active", "retiring"),
    retire=("retiring", "retired"),
    destroy=("active retiring retired", "destroyed"),
)
_ID = 16  # bytes of a data key's number, before what it has sealed
move_data_key = partial(states.apply, DATA_KEY)


@dataclass(frozen=True)
class Resealing:
    """How rows of a merchant are sealed again when its key has changed.

    Args:
        table: where they lie.
        ring: which ring's keys seal them.
        run: seals with the active key what another one has sealed: (merchant, the other, at most) -> how many rows.
    """

    table: str
    ring: str
    run: Callable[[int, UUID, int], int]


def seal(text: str, place: str, merchant_id: int, *, ring: str = "vault") -> bytes:
    """Encrypt text for a place with the merchant's key, inside an action; its first use makes that key.

    Until the action ends that key is not changed: nothing is sealed with it that whoever changes it cannot see.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("sealing needs an action around it")
    key = _active(merchant_id, ring)
    nonce = os.urandom(12)
    sealed = AESGCM(_unwrapped(key)).encrypt(nonce, text.encode(), place.encode())
    return key.id.bytes + nonce + sealed


def unseal(sealed: bytes, place: str, merchant_id: int | None, *, ring: str = "vault") -> str:
    """Decrypt what was sealed for this place.

    Args:
        merchant_id: whose it is; None where only the number of the key says so.

    Raises:
        VaultClosed: another merchant's key, another place, altered bytes, or a key that was destroyed.
    """
    found = (
        DataKey.objects.filter(id=UUID(bytes=sealed[:_ID]), ring=ring) if len(sealed) > _ID else DataKey.objects.none()
    )
    key = (found if merchant_id is None else found.filter(merchant_id=merchant_id)).first()
    if key is None:
        raise VaultClosed(place=place)
    rest = sealed[_ID:]
    try:
        return AESGCM(_unwrapped(key)).decrypt(rest[:12], rest[12:], place.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise VaultClosed(place=place) from error


def rewrap(ring: str) -> int:
    """Wrap again with the newest key outside whatever an older one has wrapped, inside an action; return how many."""
    newest = vault.newest(ring)
    old = DataKey.objects.select_for_update(no_key=True).filter(ring=ring, kek__lt=newest).exclude(state="destroyed")
    keys = list(old.order_by("merchant_id", "id"))
    for key in keys:
        wrapped = _wrapped(_unwrapped(key), key.merchant_id, key.id, ring, newest)
        DataKey.objects.filter(merchant_id=key.merchant_id, id=key.id).update(wrapped=wrapped, kek=newest)
    return len(keys)


def resealing(
    table: str, columns: Mapping[str, Callable[[Any], str]], *, key: str = "id", needs: str = "", ring: str = "vault"
) -> Resealing:
    """Say how the rows of a merchant's table are sealed again.

    Args:
        columns: what is sealed, and where of its row it lies.
        key: the columns that name a row, besides the merchant.
        needs: further columns, by which the place is found.
    """
    names = [*key.split(), *needs.split(), *columns]
    sealed = " OR ".join(f"substr({column}, 1, {_ID}) = %(id)s" for column in columns)
    there = " AND ".join(f"{name} = %({name})s" for name in ["merchant_id", *key.split()])
    changed = ", ".join(f"{column} = %({column})s" for column in columns)
    reading = (
        f"SELECT {', '.join(dict.fromkeys(['merchant_id', *names]))} FROM {table}"  # noqa: S608  names of our own
        f" WHERE merchant_id = %(merchant_id)s AND ({sealed}) LIMIT %(limit)s FOR NO KEY UPDATE"
    )
    writing = f"UPDATE {table} SET {changed} WHERE {there}"  # noqa: S608  names of our own

    def reseal(merchant_id: int, key_id: UUID, limit: int) -> int:
        found = db.rows(reading, {"merchant_id": merchant_id, "id": key_id.bytes, "limit": limit})
        for row in found:
            again = {name: sealed_again(getattr(row, name), at(row), merchant_id, ring) for name, at in columns.items()}
            db.rows(
                writing, {"merchant_id": merchant_id, **{name: getattr(row, name) for name in key.split()}, **again}
            )
        return len(found)

    return Resealing(table, ring, reseal)


def sealed_again(sealed: bytes, place: str, merchant_id: int, ring: str = "vault") -> bytes:
    """Return what was sealed with any key of a merchant, sealed with its active one."""
    return seal(unseal(bytes(sealed), place, merchant_id, ring=ring), place, merchant_id, ring=ring)


def hold(merchant_id: int, ring: str, *, alone: bool) -> None:
    """Hold a merchant's keys until the action ends: together with others who seal, or alone, to change them.

    Whoever waits to change them is let in before those who come later, however many they are.
    """
    shared = "" if alone else "_shared"
    db.rows(
        f"SELECT pg_advisory_xact_lock{shared}(hashtextextended(%s, 9))",
        [f"data_key/{merchant_id}/{ring}"],
    )


def _active(merchant_id: int, ring: str) -> DataKey:
    hold(merchant_id, ring, alone=False)
    for _ in range(3):
        found: list[DataKey] = db.rows(
            "SELECT merchant_id, id, ring, kek, wrapped FROM kernel_data_key"
            " WHERE merchant_id = %s AND ring = %s AND state = 'active'",
            [merchant_id, ring],
            into=lambda merchant_id, id, ring, kek, wrapped: DataKey(
                merchant_id=merchant_id, id=id, ring=ring, kek=kek, wrapped=wrapped
            ),
        )
        if found:
            return found[0]
        id_, kek = uuid4(), vault.newest(ring)
        db.rows(
            "INSERT INTO kernel_data_key (merchant_id, id, ring, state, kek, wrapped, made_at)"
            " VALUES (%s, %s, %s, 'active', %s, %s, %s) ON CONFLICT DO NOTHING",
            [merchant_id, id_, ring, kek, _wrapped(AESGCM.generate_key(256), merchant_id, id_, ring, kek), clock.now()],
        )
    raise db.Again()


def _wrapped(data_key: bytes, merchant_id: int, id: UUID, ring: str, kek: int) -> bytes:
    nonce = os.urandom(12)
    return nonce + AESGCM(vault.wrapping(ring, kek)).encrypt(nonce, data_key, _place(merchant_id, id))


def _unwrapped(key: DataKey) -> bytes:
    """Return a data key in clear.

    Raises:
        VaultClosed: it was destroyed, or the key that wrapped it is not here.
    """
    place = _place(key.merchant_id, key.id)
    if key.wrapped is None:
        raise VaultClosed(place=place.decode())
    wrapped = bytes(key.wrapped)
    try:
        return AESGCM(vault.wrapping(key.ring, key.kek)).decrypt(wrapped[:12], wrapped[12:], place)
    except InvalidTag as error:
        raise VaultClosed(place=place.decode()) from error


def _place(merchant_id: int, id: UUID) -> bytes:
    return f"kernel_data_key/{merchant_id}/{id}".encode()
