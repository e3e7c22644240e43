"""dlib as a face engine, from the extra `face`.

Of the package of models two files are read, by their paths: importing it would ask for a module that is gone, and its
68-point landmarks were trained on pictures whose licence excludes commercial use. Both are known by their digests, so
that a measurement holds for these files and no others. It cannot tell a face from a picture of one.
"""

import hashlib
import os
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from houfu.people.face.port import EngineMissing, NoFace

LANDMARKS = "shape_predictor_5_face_landmarks.dat"
NETWORK = "dlib_face_recognition_resnet_model_v1.dat"
DIGESTS = {
    LANDMARKS: "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    NETWORK: "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
}
FURTHEST = 1.2  # a distance of score 0; half of it, 0.6, is where the network takes two faces for one person's
LARGEST = 10_000_000  # bytes of a photo
LONGEST = 1600  # points of a photo's longer side, to which it is made smaller


class Dlib:
    """Compares faces by the distance of their vectors, which live no longer than the comparison."""

    name = "dlib"
    liveness = False
    accepts_from = 5000

    def __init__(self, dlib: Any, folder: Path) -> None:
        for name, digest in DIGESTS.items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
                raise EngineMissing(file=name)
        self.version = f"{dlib.__version__}/{DIGESTS[NETWORK][:12]}"
        self._dlib = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(folder / LANDMARKS))
        self._network = dlib.face_recognition_model_v1(str(folder / NETWORK))

    def match(self, photo_a: bytes, photo_b: bytes) -> int:
        """Return how alike two faces are: 10,000 for the same photo, 5,000 at the network's own threshold."""
        pairs = zip(self._vector(photo_a), self._vector(photo_b), strict=True)
        distance = sum((a - b) ** 2 for a, b in pairs) ** 0.5
        return int(max(0.0, 1 - distance / FURTHEST) * 10_000)

    def _vector(self, photo: bytes) -> list[float]:
        picture = self._read(photo)
        faces = self._detector(picture, 1)
        if len(faces) != 1:
            raise NoFace(faces=len(faces))
        return list(self._network.compute_face_descriptor(picture, self._landmarks(picture, faces[0])))

    def _read(self, photo: bytes) -> Any:
        """Decode a photo out of memory: the library reads files, and a photo must not become one."""
        if len(photo) > LARGEST:
            raise NoFace(bytes=len(photo), most=LARGEST)
        file = os.memfd_create("photo")
        try:
            os.write(file, photo)
            picture = self._dlib.load_rgb_image(f"/proc/self/fd/{file}")
        except RuntimeError as error:
            raise NoFace() from error
        finally:
            os.close(file)
        longer = max(picture.shape[:2])
        return self._dlib.resize_image(picture, LONGEST / longer) if longer > LONGEST else picture


@lru_cache(maxsize=1)
def load() -> Dlib:
    """Load the library and its two files.

    Raises:
        EngineMissing: they are not here, or are others.
    """
    models = find_spec("face_recognition_models")
    try:
        dlib = import_module("dlib")
        return Dlib(dlib, Path(str(models.submodule_search_locations[0])) / "models")  # type: ignore[union-attr, index]
    except (ImportError, AttributeError, TypeError, OSError) as error:
        raise EngineMissing(extra="face") from error
