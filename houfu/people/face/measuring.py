"""Measuring a face engine on pairs of photos of which the answer is known."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from houfu.kernel.errors import Invalid
from houfu.people.face import rules
from houfu.people.face.port import Engine, NoFace

HEADER = ["photo_a", "photo_b", "same"]


class PairsUnreadable(Invalid):
    """Pairs are CSV with the header photo_a,photo_b,same: two files beside it, and 1 for one person or 0 for two."""

    code = "face_pairs_unreadable"


class Measured(NamedTuple):
    """What a measurement has found, and over which photos, as a digest of all of them in their order."""

    accuracy: rules.Accuracy
    pairs_digest: bytes


def measure(engine: Engine, pairs: Path) -> Measured:
    """Let an engine judge every pair of a file; nothing of the photos is kept but one digest over all of them.

    Raises:
        PairsUnreadable: the file, or a photo that it names, cannot be read, or a pair stands there twice.
    """
    digest = hashlib.sha256()

    def scored() -> Iterator[tuple[bool, int | None]]:
        for photo_a, photo_b, same in _pairs(pairs):
            for photo in (photo_a, photo_b):
                digest.update(hashlib.sha256(photo).digest())
            digest.update(b"1" if same else b"0")
            try:
                yield same, engine.match(photo_a, photo_b)
            except NoFace:
                yield same, None

    return Measured(rules.tally(scored(), engine.accepts_from), digest.digest())


def _pairs(path: Path) -> Iterator[tuple[bytes, bytes, bool]]:
    seen: set[frozenset[str]] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            if next(rows, None) != HEADER:
                raise PairsUnreadable(header=HEADER)
            for row in rows:
                if len(row) != len(HEADER) or row[2] not in ("0", "1") or frozenset(row[:2]) in seen:
                    raise PairsUnreadable(line=rows.line_num)
                seen.add(frozenset(row[:2]))
                yield (path.parent / row[0]).read_bytes(), (path.parent / row[1]).read_bytes(), row[2] == "1"
    except (OSError, ValueError, csv.Error) as error:
        raise PairsUnreadable(said=str(error)) from error
