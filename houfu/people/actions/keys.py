"""People: API keys, made and revoked."""

import base64
import hashlib
import ipaddress
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from houfu.history import actions as history
from houfu.kernel import clock, db, versions
from houfu.kernel.errors import Forbidden, Invalid, NotFound, Unauthenticated
from houfu.people.actor import PARTNER, PERSONAL, SCOPES, Actor
from houfu.people.models import ApiKey, Staff


class UnknownScope(Invalid):
    """A key can only carry scopes that exist."""

    code = "scope_unknown"


@db.refuse_on("people_key_one_year")
class KeyLifeTooLong(Invalid):
    """A key lives for a year at most."""

    code = "people_key_one_year"


@db.refuse_on("people_key_name_length", "people_key_person_length", "people_key_has_scope", "people_key_partner")
class KeyIncomplete(Invalid):
    """A key needs a name, a person and at least one scope; a partner's needs stores."""

    code = "people_key_incomplete"


@db.refuse_on("people_key_platform_scope")
class PlatformScope(Invalid):
    """Only the platform's own keys may carry the scopes of the platform and of compliance."""

    code = "people_key_platform_scope"


@db.refuse_on("people_key_person_scope")
class PersonalScope(Invalid):
    """What people alone may do, no key may carry."""

    code = "people_key_person_scope"


@db.refuse_on("people_key_networks")
class NetworkUnreadable(Invalid):
    """A key is bound to 1 to 100 networks, written as 203.0.113.0/24, or to none."""

    code = "people_key_networks"


@db.refuse_on("people_key_public")
class PublicKeyUnreadable(Invalid):
    """A public key is 32 bytes of Ed25519, in base64."""

    code = "people_key_public"


@db.action
def create_key(
    *,
    by: Actor,
    merchant_id: int,
    name: str,
    person: str = "",
    staff_id: int | None = None,
    scopes: Sequence[str],
    days: int = 365,
    networks: Sequence[str] | None = None,
    public_key: str | None = None,
) -> tuple[ApiKey, str]:
    """Make an API key and return it with its token, which is shown this once and never stored.

    Args:
        merchant_id: whose things the key may touch; 0 for the platform's own key.
        person: the natural person who answers for what the key does, as the platform says; whoever makes a key for
            their own merchant answers for it themselves.
        staff_id: the member of the staff whose role, stores and tier the key has, as the platform says; without one
            it has no tier, and what it asks to be paid out needs owner and legal (S4).
        days: how long it lives, 366 at most.
        networks: the addresses from which it opens anything, such as "203.0.113.0/24"; None for all.
        public_key: 32 bytes of Ed25519 in base64; what moves money is then asked for in signed requests alone.

    Raises:
        UnknownScope: for a scope that does not exist.
        Forbidden: for a scope that the maker does not have.
        PlatformScope: a merchant's key cannot carry the platform's scope, nor that of compliance.
        PersonalScope: no key can carry what people alone may do.
        NetworkUnreadable, PublicKeyUnreadable: for an address or a public key that is none.
    """
    _require(by, merchant_id)
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise UnknownScope(scopes=unknown)
    if personal := sorted(PERSONAL & set(scopes)):
        raise PersonalScope(scopes=personal)
    if beyond := sorted(set(scopes) - by.scopes):
        raise Forbidden(scopes=beyond)
    read = _networks(networks)
    if staff_id is not None:
        person = _member(by, merchant_id, staff_id).person
    answers = person if by.merchant_id is None else by.person
    return _made(
        by,
        merchant_id,
        name=name,
        person=answers,
        scopes=sorted(set(scopes)),
        expires_at=clock.now() + timedelta(days=days),
        networks=read,
        staff_id=staff_id,
        public_key=_public(public_key),
    )


@db.action
def create_partner_key(
    *, by: Actor, merchant_id: int, partner_id: int, name: str, store_ids: Sequence[int], expires_at: datetime
) -> tuple[ApiKey, str]:
    """Make a key by which a partner reads the limits of named stores alone, and return it with its token (L8).

    Args:
        partner_id: the party whose key it is; whoever calls knows it, and the stores, to be the merchant's.
        expires_at: a year from now at most.

    Raises:
        KeyLifeTooLong, KeyIncomplete: no key was made.
    """
    _require(by, merchant_id)
    return _made(
        by,
        merchant_id,
        name=name,
        person=f"party/{partner_id}",
        scopes=[PARTNER],
        expires_at=expires_at,
        partner_id=partner_id,
        store_ids=sorted(set(store_ids)),
    )


def _made(
    by: Actor,
    merchant_id: int,
    *,
    name: str,
    person: str,
    scopes: list[str],
    expires_at: datetime,
    networks: list[str] | None = None,
    public_key: bytes | None = None,
    **whose: Any,
) -> tuple[ApiKey, str]:
    secret = secrets.token_urlsafe(32)
    columns = ["staff_id", "partner_id", "store_ids"]
    key_id = db.rows(
        "INSERT INTO people_api_key (merchant_id, name, person, secret_digest, scopes, created_at, expires_at,"
        " networks, api_version, staff_id, partner_id, store_ids, public_key)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s::cidr[], %s, %s, %s, %s, %s) RETURNING id",
        [merchant_id, name, person, digest(secret), scopes, clock.now(), expires_at, networks, versions.NEWEST]
        + [whose.get(column) for column in columns]
        + [public_key],
    )[0].id
    said = {name: value for name, value in whose.items() if value is not None}
    history.record("key.created", by=by, merchant_id=merchant_id, subject=f"key/{key_id}", scopes=scopes, **said)
    return ApiKey.objects.get(merchant_id=merchant_id, id=key_id), f"hf_{merchant_id}_{key_id}_{secret}"


@db.action
def revoke_partner_keys(*, by: Actor, merchant_id: int, partner_id: int) -> None:
    """Revoke all keys of a partner; whoever calls may decide about it."""
    held = ApiKey.objects.filter(merchant_id=merchant_id, partner_id=partner_id, revoked_at=None)
    for key_id in sorted(held.values_list("id", flat=True)):
        held.filter(id=key_id).update(revoked_at=clock.now())
        history.record("key.revoked", by=by, merchant_id=merchant_id, subject=f"key/{key_id}")


@db.action
def revoke_key(*, by: Actor, merchant_id: int, id: int) -> None:
    """Revoke a key; from now on it opens nothing. Revoking twice changes nothing."""
    _require(by, merchant_id)
    keys = ApiKey.objects.filter(merchant_id=merchant_id, id=id)
    if not keys.exists():
        raise NotFound()
    if keys.filter(revoked_at=None).update(revoked_at=clock.now()):
        history.record("key.revoked", by=by, merchant_id=merchant_id, subject=f"key/{id}")


def _networks(said: Sequence[str] | None) -> list[str] | None:
    """Return networks as they are stored."""
    try:
        return None if said is None else [str(ipaddress.ip_network(each)) for each in said]
    except ValueError as error:
        raise NetworkUnreadable(said=str(error)) from error


def _public(said: str | None) -> bytes | None:
    """Return a public key's bytes."""
    if said is None:
        return None
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(said, validate=True)).public_bytes_raw()
    except ValueError as error:
        raise PublicKeyUnreadable() from error


def _member(by: Actor, merchant_id: int, staff_id: int) -> Staff:
    """Return the active member of the staff whose key is made, which is for the platform to make."""
    by.require("platform:write")
    member = Staff.objects.filter(merchant_id=merchant_id, id=staff_id, state="active").first()
    if member is None:
        raise NotFound()
    return member


def _require(by: Actor, merchant_id: int) -> None:
    """The platform's own keys are the platform's business; a merchant's are also the merchant's."""
    if merchant_id:
        by.require("merchants:write", merchant_id)
    else:
        by.require("platform:write")


def digest(secret: str) -> bytes:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def parts(token: str, kind: str) -> tuple[int, int, str]:
    """Return merchant, number and secret of a token of ours.

    Raises:
        Unauthenticated: it is none.
    """
    said = token.split("_", 3)
    if len(said) != 4 or said[0] != kind or not all(p.isascii() and p.isdigit() and len(p) < 19 for p in said[1:3]):
        raise Unauthenticated()
    return int(said[1]), int(said[2]), said[3]
