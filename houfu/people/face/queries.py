"""Reading what is known of face engines."""

from datetime import datetime
from typing import NamedTuple

from houfu.kernel import db
from houfu.kernel.errors import Reason
from houfu.people.face import rules
from houfu.people.face.port import Engine
from houfu.people.face.rules import Accuracy
from houfu.policies import queries as policies

_COLUMNS = (
    "SELECT engine, version, accepts_from, liveness, measured_at, measured_by, accuracy_permyriad, same_pairs,"
    " other_pairs, false_accepts, false_rejects, unseen FROM people_face_accuracy"
)


class Measurement(NamedTuple):
    """One measurement of an engine in one version."""

    engine: str
    version: str
    accepts_from: int
    liveness: bool
    measured_at: datetime
    measured_by: str
    accuracy_permyriad: int
    same_pairs: int
    other_pairs: int
    false_accepts: int
    false_rejects: int
    unseen: int

    @property
    def accuracy(self) -> Accuracy:
        """What was counted."""
        return Accuracy(self.same_pairs, self.other_pairs, self.false_accepts, self.false_rejects, self.unseen)


def measurements() -> list[Measurement]:
    """Return every measurement, the newest first."""
    return db.rows(f"{_COLUMNS} ORDER BY no DESC", into=Measurement)


def refusals(engine: Engine, at: datetime) -> list[Reason]:
    """Return every reason why an engine, as it is here, may not vouch for anybody at an instant (S8)."""
    known: list[Measurement] = db.rows(
        f"{_COLUMNS} WHERE (engine, version, accepts_from) = (%s, %s, %s) ORDER BY no DESC LIMIT 1",
        [engine.name, engine.version, engine.accepts_from],
        Measurement,
    )
    return rules.refusals(known[0].accuracy if known else None, policies.at(at).staff.face_permyriad)
