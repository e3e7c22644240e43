"""Reading people: who stands behind a token or a session, who holds a role, and which keys there are."""

import hmac
import ipaddress
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.core.internal.sessionkit import get_session_user
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Exists, OuterRef, Q

from houfu.kernel import clock, db, isolation
from houfu.kernel.errors import Forbidden, NotFound, Unauthenticated
from houfu.people import models, rules
from houfu.people.actions.keys import digest, parts
from houfu.people.actor import SIGN_IN, Actor, operator, system
from houfu.people.models import AccessGrant, ApiKey, Profile, Staff


class FactorNeeded(Forbidden):
    """Use the factor that your role asks for, or add it first: a passkey for money, else a passkey or a code."""

    code = "factor_needed"


@dataclass(frozen=True)
class Passkey:
    """A passkey, valid from `added_at` until `removed_at`; its public key is a COSE key as CBOR."""

    credential_id: bytes
    public_key: bytes
    added_at: datetime
    removed_at: datetime | None
    rp_id: str = ""


def actor_of(token: str, ip: str = "") -> Actor:
    """Return the actor whose token this is.

    Args:
        ip: where it comes from, where that is known; a key that is bound to networks opens nothing from elsewhere.

    Raises:
        Unauthenticated: for a token that is malformed, unknown, expired, revoked or from elsewhere, all alike.
    """
    found = actors_of([(token, ip)])[0]
    if isinstance(found, Unauthenticated):
        raise found
    return found


def actors_of(asked: Sequence[tuple[str, str]]) -> list[Actor | Unauthenticated]:
    """Return whose tokens these are, or why one opens nothing, each as `actor_of` has it, by two questions in all.

    Args:
        asked: tokens, each with where it comes from.
    """
    read = [_parts(token) for token, _ in asked]
    merchants = {said[0] for said in read if said}
    one = merchants.pop() if len(merchants) == 1 else None
    with isolation.acting(isolation.Party("key", one)):
        signing = Profile.objects.filter(merchant_id=OuterRef("merchant_id"), signatures_required=True)
        pairs = {(said[0], said[1]) for said in read if said}
        found = ApiKey.objects.filter(_any_of(pairs)).annotate(must_sign=Exists(signing))
        keys = {(key.merchant_id, key.id): key for key in found} if pairs else {}
        held = {(key.merchant_id, key.staff_id) for key in keys.values() if key.staff_id is not None}
        holders = {(each.merchant_id, each.id): each for each in Staff.objects.filter(_any_of(held))} if held else {}
    return [
        _opened(keys.get((said[0], said[1])), holders, said[2], ip) if said else Unauthenticated()
        for said, (_, ip) in zip(read, asked, strict=True)
    ]


def _any_of(pairs: Collection[tuple[int, int]]) -> Q:
    """Return what finds rows by merchant and number; what is found beside them belongs to nobody who is asked about."""
    return Q(merchant_id__in={merchant_id for merchant_id, _ in pairs}, id__in={id for _, id in pairs})


def _parts(token: str) -> tuple[int, int, str] | None:
    try:
        return parts(token, "hf")
    except Unauthenticated:
        return None


def _opened(
    key: ApiKey | None, holders: Mapping[tuple[int, int], Staff], secret: str, ip: str
) -> Actor | Unauthenticated:
    """Return what a key opens; of one that is held by somebody who has left, nothing."""
    if key is None or not hmac.compare_digest(bytes(key.secret_digest), digest(secret)):
        return Unauthenticated()
    if key.revoked_at or key.expires_at <= clock.now() or not _within(key.networks, ip):
        return Unauthenticated()
    holder = holders.get((key.merchant_id, key.staff_id)) if key.staff_id is not None else None
    if key.staff_id is not None and holder is None:
        return Unauthenticated()
    try:
        return _actor_of_key(key, holder, ip, must_sign=key.must_sign)  # type: ignore[attr-defined]
    except Unauthenticated as refusal:
        return refusal


def _actor_of_key(key: ApiKey, holder: Staff | None, ip: str = "", *, must_sign: bool = False) -> Actor:
    actor = Actor(
        label=f"key/{key.id}",
        person=key.person,
        merchant_id=key.merchant_id or None,
        scopes=frozenset(key.scopes),
        kind="key",
        stores=None if key.store_ids is None else frozenset(key.store_ids),
        ip=ip,
        unsigned=must_sign or key.public_key is not None,
        api_version=key.api_version,
    )
    if holder is None:
        return actor
    member = actor_of_staff(holder)
    return replace(
        actor, scopes=actor.scopes & member.scopes, staff_id=member.staff_id, role=member.role, stores=member.stores
    )


def _within(networks: list[str] | None, ip: str) -> bool:
    if networks is None:
        return True
    return bool(ip) and any(ipaddress.ip_address(ip) in ipaddress.ip_network(network) for network in networks)


def actor_of_staff(member: Staff, device: str = "", ip: str = "") -> Actor:
    """Return the actor that a member of the staff is now.

    Raises:
        Unauthenticated: they are not active.
    """
    if member.state != "active":
        raise Unauthenticated()
    return Actor(
        label=f"staff/{member.id}",
        person=member.person,
        merchant_id=member.merchant_id or None,
        scopes=rules.ROLES[member.role],
        kind="staff",
        staff_id=member.id,
        role=member.role,
        stores=member.stores,
        device=device,
        ip=ip,
        called=member.name,
    )


def again(merchant_id: int, label: str) -> Actor:
    """Return who somebody is now that was an actor of this name before, with the rights that they have now.

    Args:
        merchant_id: whose member or key it is; 0 for the platform's.
        label: as `Actor.label` has it.

    Raises:
        Unauthenticated, NotFound: they have left, their key has ended, or they were let in for a while alone.
    """
    kind, _, name = label.partition("/")
    if merchant_id == 0 and kind in ("operator", "system"):
        return (operator if kind == "operator" else system)(name)
    if kind == "staff":
        return actor_of_staff(staff(merchant_id, int(name)))
    key = ApiKey.objects.filter(merchant_id=merchant_id, id=int(name)).first() if kind == "key" else None
    if key is None or key.revoked_at or key.expires_at <= clock.now():
        raise Unauthenticated()
    return _actor_of_key(key, staff(merchant_id, key.staff_id) if key.staff_id is not None else None)


def actor_of_session(session: SessionBase, device: str = "", ip: str = "") -> Actor:
    """Return the actor whose session this is, if it was opened as their role asks for.

    Raises:
        Unauthenticated: it is nobody's, or nobody's any more.
        FactorNeeded: a password alone, or a lesser factor, is not enough.
    """
    member = member_of_session(session)
    actor = actor_of_staff(member, device, ip)
    if not rules.proven(member.role, {str(record.get("type")) for record in proofs(session)}):
        raise FactorNeeded()
    return replace(actor, stepped_up_at=_stepped_up(session))


def _stepped_up(session: SessionBase) -> datetime | None:
    """Return when a passkey was last used in a session, on the product's clock; sign-in keeps the machine's (S8)."""
    used = [record["at"] for record in proofs(session) if record.get("type") == "webauthn"]
    return clock.now() - timedelta(seconds=clock.machine_now().timestamp() - max(used)) if used else None


def let_in(by: Actor, grant_id: str) -> Actor:
    """Return what one of the platform's people is at a merchant whose access grant lets them in.

    Raises:
        NotFound: there is no such grant for them.
        AccessOver: it is not in force.
    """
    assert by.staff_id
    with isolation.acting(SIGN_IN):
        known = grant_id.isascii() and grant_id.isdigit() and len(grant_id) < 19
        grant = AccessGrant.objects.filter(id=int(grant_id), staff_id=by.staff_id).first() if known else None
    if grant is None:
        raise NotFound()
    if not grant.in_force:
        raise db.AccessOver()
    return replace(
        by, label=f"access/{grant.id}", merchant_id=grant.merchant_id, scopes=by.scopes & set(grant.scopes),
        staff_id=None, grant_id=grant.id,
    )  # fmt: skip


def access_grants(by: Actor, merchant_id: int, *, before: int | None = None, limit: int = 100) -> list[AccessGrant]:
    """Return who of the platform has asked a merchant to be let in, the newest first."""
    by.require("people:read", merchant_id)
    found = AccessGrant.objects.filter(merchant_id=merchant_id)
    return list((found if before is None else found.filter(id__lt=before)).order_by("-id")[:limit])


def access_grant(merchant_id: int, id: int) -> AccessGrant | None:
    """Return an access grant by its number."""
    return AccessGrant.objects.filter(merchant_id=merchant_id, id=id).first()


def member_of_session(session: SessionBase) -> Staff:
    """Return whose session this is, however far they have come.

    Raises:
        Unauthenticated: it is nobody's.
    """
    with isolation.acting(SIGN_IN):
        user = get_session_user(session)
        member = member_of_login(user.pk) if user else None
    if member is None:
        raise Unauthenticated()
    return member


def proofs(session: SessionBase) -> list[dict[str, Any]]:
    """Return by what, and when, the owner of a session has proven who they are."""
    found: list[dict[str, Any]] = session.get(AUTHENTICATION_METHODS_SESSION_KEY, [])
    return found


def member_of_login(user_id: int) -> Staff | None:
    """Return the member of the staff that a login is."""
    found = db.rows("SELECT merchant_id, staff_id FROM people_login WHERE user_id = %s", [user_id])
    return Staff.objects.filter(merchant_id=found[0].merchant_id, id=found[0].staff_id).first() if found else None


def member_called(username: str) -> Staff | None:
    """Return the member of the staff who signs in by a name."""
    found = db.rows("SELECT id FROM auth_user WHERE username = %s", [username.lower()])
    return member_of_login(found[0].id) if found else None


def staff(merchant_id: int, staff_id: int) -> Staff:
    """Return a member of a merchant's staff.

    Raises:
        NotFound: there is no such member.
    """
    found = Staff.objects.filter(merchant_id=merchant_id, id=staff_id).first()
    if found is None:
        raise NotFound()
    return found


def profile(merchant_id: int) -> Profile | None:
    """Return what a merchant asks of those who act for it; None where it has never said."""
    return Profile.objects.filter(merchant_id=merchant_id).first()


def face_allowed(merchant_id: int) -> bool:
    """Say whether a merchant lets a face stand for a passkey (S8)."""
    return Profile.objects.filter(merchant_id=merchant_id, face_allowed=True).exists()


def access_staff(by: Actor, merchant_id: int, staff_id: int) -> Staff:
    """Return a member of a merchant's staff, if the actor may see it."""
    by.require("people:read", merchant_id)
    return staff(merchant_id, staff_id)


def everybody(by: Actor, merchant_id: int, *, after: int = 0, limit: int = 100) -> list[Staff]:
    """Return a merchant's staff, by id."""
    by.require("people:read", merchant_id)
    return list(Staff.objects.filter(merchant_id=merchant_id, id__gt=after).order_by("id")[:limit])


def names(by: Actor, merchant_id: int, staff_ids: Sequence[int]) -> dict[str, str]:
    """Return what some of a merchant's staff are called, by their names in the history."""
    by.require("people:read", merchant_id)
    found = Staff.objects.filter(merchant_id=merchant_id, id__in=list(staff_ids))
    return {f"staff/{id}": name for id, name in found.values_list("id", "name")}


def holders(merchant_id: int, role: str, at: datetime) -> list[Staff]:
    """Return who holds a role now and may approve at an instant: active, and not held back after a recovery."""
    held = Staff.objects.filter(merchant_id=merchant_id, role=role, state="active")
    return list(held.exclude(approvals_blocked_until__gt=at).order_by("id"))


def passkeys(merchant_id: int, staff_id: int) -> list[Passkey]:
    """Return the passkeys of a member of the staff, removed ones too, in the order in which they were added."""
    found = models.Passkey.objects.filter(merchant_id=merchant_id, staff_id=staff_id).order_by("id")
    return [Passkey(bytes(p.credential_id), bytes(p.public_key), p.added_at, p.removed_at, p.rp_id) for p in found]


def keys(merchant_id: int) -> list[ApiKey]:
    """Return a merchant's keys, newest first."""
    return list(ApiKey.objects.filter(merchant_id=merchant_id).order_by("-id"))
