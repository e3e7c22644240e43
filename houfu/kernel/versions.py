"""Versions of the HTTP API, by date: a key stays with the one it was made for, a header may ask for another (I-28).

A change that a client could stumble over becomes a new date here, and what the older dates were answered is kept beside
the operation that changed. There is one version so far, and so nothing to translate.
"""

from houfu.kernel.errors import Invalid

HEADER = "Houfu-Version"
VERSIONS = ("2025-11-01",)  # the oldest first
NEWEST = VERSIONS[-1]


class VersionUnknown(Invalid):
    """There is no such version of the API."""

    code = "version_unknown"


def known(said: str) -> str:
    """Return a version's date, if there is one of that name.

    Raises:
        VersionUnknown: with those that there are.
    """
    if said not in VERSIONS:
        raise VersionUnknown(versions=list(VERSIONS))
    return said
