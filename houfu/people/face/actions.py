"""Face engines: measured, and asked whether somebody is who they say."""

from typing import NamedTuple

from houfu.history import actions as history
from houfu.kernel import clock, db, ids
from houfu.kernel.errors import Invalid, Refused
from houfu.people import queries as people
from houfu.people.actor import Actor
from houfu.people.face import queries
from houfu.people.face.measuring import Measured
from houfu.people.face.port import Engine


class EngineNotAccepted(Refused):
    """This face engine may vouch for nobody; the reasons say why (S8)."""

    code = "face_engine_not_accepted"


class FaceNotAllowed(Refused):
    """This merchant's profile does not let a face stand for a passkey."""

    code = "face_not_allowed"


class VouchedByThemselves(Refused):
    """The photo on file is brought by somebody else than the person whose face it shows."""

    code = "face_vouched_by_themselves"


@db.refuse_on("people_face_pairs")
class PairsOneSided(Invalid):
    """A measurement needs pairs of one person and pairs of two."""

    code = "people_face_pairs"


class Check(NamedTuple):
    """What is kept of a comparison, and all of it.

    Args:
        liveness: whether the engine could have told a face from a picture of one.
    """

    passed: bool
    score: int
    reference: str
    liveness: bool


@db.action
def record(*, by: Actor, engine: Engine, measured: Measured) -> None:
    """Keep how accurate an engine was; from now on this measurement decides.

    Raises:
        PairsOneSided: there were pairs of one kind alone.
    """
    by.require("platform:write")
    found = measured.accuracy
    db.rows(
        "INSERT INTO people_face_accuracy (engine, version, measured_at, measured_by, accepts_from, liveness,"
        " same_pairs, other_pairs, false_accepts, false_rejects, unseen, accuracy_permyriad, pairs_digest)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            engine.name,
            engine.version,
            clock.now(),
            by.label,
            engine.accepts_from,
            engine.liveness,
            found.same_pairs,
            found.other_pairs,
            found.false_accepts,
            found.false_rejects,
            found.unseen,
            found.permyriad,
            measured.pairs_digest,
        ],
    )
    history.record(
        "face.measured",
        by=by,
        merchant_id=history.PLATFORM,
        subject=f"face_engine/{engine.name}",
        version=engine.version,
        pairs=found.same_pairs + found.other_pairs,
        accuracy_permyriad=found.permyriad,
        liveness=engine.liveness,
    )


def may_check(by: Actor, merchant_id: int, staff_id: int) -> None:
    """Refuse whoever may not bring a photo of a member of the staff, before any engine is asked.

    Raises:
        FaceNotAllowed, VouchedByThemselves: as `check` says.
    """
    by.require("people:write", merchant_id)
    by.require_person()
    if by.person == people.staff(merchant_id, staff_id).person:
        raise VouchedByThemselves()
    if not people.face_allowed(merchant_id):
        raise FaceNotAllowed()


def check(*, by: Actor, merchant_id: int, staff_id: int, engine: Engine, shown: bytes, on_file: bytes) -> Check:
    """Say whether the face that is shown is that of the photo on file (S8); result, score and reference are kept.

    Args:
        by: somebody else of the merchant, who brings the photo on file.
        shown: a photo of the person, taken now.
        on_file: a photo of them from a document; it is not kept here, nor is anything made of it.

    Raises:
        FaceNotAllowed: the merchant's profile does not let a face stand for a passkey.
        EngineNotAccepted: the engine is not known to reach the policy's bar.
        VouchedByThemselves: the actor is the person.
        NoFace: one of the photos cannot be judged; nothing is kept.
    """
    may_check(by, merchant_id, staff_id)
    if reasons := queries.refusals(engine, clock.now()):
        raise EngineNotAccepted(*reasons)
    score = engine.match(shown, on_file)  # takes its time, and no transaction waits for it
    found = Check(score >= engine.accepts_from, score, str(ids.new()), engine.liveness)
    _keep(by, merchant_id, staff_id, engine, found)
    return found


@db.action
def _keep(by: Actor, merchant_id: int, staff_id: int, engine: Engine, found: Check) -> None:
    history.record(
        "face.checked",
        by=by,
        merchant_id=merchant_id,
        subject=f"staff/{staff_id}",
        engine=engine.name,
        version=engine.version,
        **found._asdict(),
    )
