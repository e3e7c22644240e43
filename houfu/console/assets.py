"""Files that browsers load: ours, and those of the packages, each under an address that changes with its content."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from django.http import HttpRequest, HttpResponse

from houfu.kernel.errors import NotFound, Refused
from houfu.kernel.http import problem

OURS = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"


class AssetsMissing(Refused):
    """The console's packages have not been built; run `make assets`."""

    code = "console_assets_missing"
    status = 500


@dataclass(frozen=True)
class Asset:
    """A file as it is sent."""

    url: str
    kind: str
    body: bytes
    packed: bytes


@lru_cache(maxsize=1)
def known() -> dict[str, Asset]:
    """Return all files by name, read once: a process serves what was there when it began."""
    return {
        str(path.relative_to(OURS)): _read(path) for path in sorted(OURS.rglob("*")) if path.suffix in (".css", ".js")
    }


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    url = f"/static/{hashlib.sha256(body).hexdigest()[:16]}/{path.relative_to(OURS)}"
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(url, f"{kind}; charset=utf-8", body, gzip.compress(body, 9, mtime=0))


def url(name: str) -> str:
    """Return the address of a file.

    Raises:
        AssetsMissing: it is a package's, and packages were not built.
    """
    found = known().get(name)
    if found is None:
        raise AssetsMissing(name=name)
    return found.url


def serve(request: HttpRequest, digest: str, name: str) -> HttpResponse:
    """Send a file; whoever has it never asks again."""
    found = known().get(name)
    if found is None or found.url != f"/static/{digest}/{name}":
        return problem(NotFound())
    packs = "gzip" in request.headers.get("Accept-Encoding", "")
    response = HttpResponse(found.packed if packs else found.body, content_type=found.kind)
    if packs:
        response["Content-Encoding"] = "gzip"
    response["Cache-Control"], response["Vary"] = FOREVER, "Accept-Encoding"
    return response
