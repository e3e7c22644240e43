"""Our side of a face engine: what it must say of itself, and the one question that it is asked."""

from importlib import import_module
from typing import Protocol

from houfu.kernel.errors import Invalid, NotFound, Refused

_ENGINES = {"dlib": "houfu.people.face.dlib_engine"}


class NoFace(Invalid):
    """A photo must show one face, and be one that can be read."""

    code = "face_unseen"


class EngineMissing(Refused):
    """This face engine is not installed here: it comes with the extra `face`."""

    code = "face_engine_missing"


class Engine(Protocol):
    """Whatever compares two faces.

    `version` names the very files that decide, because a measurement holds for those alone. `liveness` says whether
    the engine can tell a face from a picture of one. `accepts_from` is the score from which two photos count as one
    person's.
    """

    name: str
    version: str
    liveness: bool
    accepts_from: int

    def match(self, photo_a: bytes, photo_b: bytes) -> int:
        """Return how alike the faces of two photos are, from 0 to 10,000.

        Raises:
            NoFace: one of them shows none, or several, or cannot be read.
        """
        ...


def engine(name: str) -> Engine:
    """Load an engine by its name.

    Raises:
        NotFound: there is none of that name.
        EngineMissing: what it needs is not installed.
    """
    if name not in _ENGINES:
        raise NotFound(engine=name, known=sorted(_ENGINES))
    loaded: Engine = import_module(_ENGINES[name]).load()
    return loaded
