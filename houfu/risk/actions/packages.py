"""Evidence packages: all that is known of a case, put together for the licensed reporter and read by a second person
before it counts (K7). Nothing here sends anything."""

import hashlib
from typing import Any

import msgspec

from houfu.history import actions as history
from houfu.history import queries as history_queries
from houfu.kernel import clock, db
from houfu.kernel.errors import Refused
from houfu.people.actor import Actor
from houfu.risk import queries, states
from houfu.risk.models import Alert, Appeal, Case, Decision, Evidence, Hold, Observation, Package

LINKS = 1000


@db.refuse_on("risk_package_second_person")
class ReviewedByMaker(Refused):
    """Whoever put an evidence package together does not release it (K7)."""

    code = "risk_package_second_person"


class PackageAltered(Refused):
    """The digests of this evidence package are not those of its parts."""

    code = "risk_package_altered"


@db.action
def make_package(*, by: Actor, merchant_id: int, case_id: int) -> Package:
    """Put together what is known of a case: decisions, observations, alerts, holds, entries, appeals and history."""
    case = queries.access_case(by, merchant_id, case_id, lock=True)
    by.require_person()
    now = clock.now()
    about = {"merchant_id": merchant_id, "case_id": case_id, "made_by": by.person, "made_at": now}
    parts = [_part(name, rows) for name, rows in _parts(case)]
    document = _json({"about": about, "parts": parts})
    package_id = db.rows(
        "INSERT INTO risk_package (merchant_id, case_id, state, document, digest, made_by, made_at)"
        " VALUES (%s, %s, 'in_review', %s, %s, %s, %s) RETURNING id",
        [merchant_id, case_id, document, digest_of(document), by.person, now],
    )[0].id
    history.record("package.made", by=by, merchant_id=merchant_id, subject=f"package/{package_id}", case_id=case_id)
    return queries.access_package(by, merchant_id, package_id)


def _parts(case: Case) -> list[tuple[str, list[dict[str, Any]]]]:
    of_merchant = {"merchant_id": case.merchant_id}
    of_case = {**of_merchant, "case_id": case.id}
    holds = Hold.objects.filter(**of_case).order_by("id")
    alerts = Alert.objects.filter(**of_case).order_by("id")
    decided = {hold.decision_id for hold in holds} | {alert.decision_id for alert in alerts}
    decisions = Decision.objects.filter(**of_merchant, id__in=decided).order_by("at", "id")
    subjects = {case.subject, *(row.subject for row in decisions)}
    links = [
        link
        for subject in sorted({f"case/{case.id}", *subjects})
        for link in history_queries.links(case.merchant_id, subject=subject, limit=LINKS)
    ]
    return [
        ("case", [_row(case)]),
        ("decisions", [_row(row) for row in decisions]),
        ("observations", [_row(r) for r in Observation.objects.filter(**of_merchant, subject__in=subjects)]),
        ("alerts", [_row(row) for row in alerts]),
        ("holds", [_row(row) for row in holds]),
        ("evidence", [_row(row) for row in Evidence.objects.filter(**of_case).order_by("no")]),
        ("appeals", [_row(row) for row in Appeal.objects.filter(**of_case).order_by("id")]),
        ("history", [_row(link) for link in links]),
    ]


def _row(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if field.attname != "pk"}


def _part(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "rows": rows, "digest": hashlib.sha256(_json(rows).encode()).hexdigest()}


def _json(value: Any) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()


def digest_of(document: str) -> bytes:
    """Return the digest over what a package is about and the digests of its parts, each computed from its rows."""
    said = msgspec.json.decode(document)
    lines = [_json(said["about"])]
    lines += [f"{part['name']} {hashlib.sha256(_json(part['rows']).encode()).hexdigest()}" for part in said["parts"]]
    return hashlib.sha256("\n".join(lines).encode()).digest()


@db.action
def release_package(*, by: Actor, merchant_id: int, id: int, note: str = "") -> Package:
    """Say as a second person that a package may be given to the reporter; giving it is done by people.

    Raises:
        ReviewedByMaker, PackageAltered: it stays in review.
    """
    package = queries.access_package(by, merchant_id, id)
    said = msgspec.json.decode(package.document)
    parts = [hashlib.sha256(_json(part["rows"]).encode()).hexdigest() for part in said["parts"]]
    if digest_of(package.document) != bytes(package.digest) or parts != [part["digest"] for part in said["parts"]]:
        raise PackageAltered()
    return _review(by, "release", merchant_id, id, note)


@db.action
def reject_package(*, by: Actor, merchant_id: int, id: int, note: str) -> Package:
    """Say as a second person that a package does not do; another one may be made."""
    queries.access_package(by, merchant_id, id)
    return _review(by, "reject", merchant_id, id, note)


def _review(by: Actor, verb: str, merchant_id: int, id: int, note: str) -> Package:
    by.require_person()
    states.move_package(
        verb,
        Package,
        {"merchant_id": merchant_id, "id": id},
        reviewed_by=by.person,
        reviewed_at=clock.now(),
        note=note,
    )
    history.record(f"package.{states.PACKAGE[verb][1]}", by=by, merchant_id=merchant_id, subject=f"package/{id}")
    return queries.access_package(by, merchant_id, id)
