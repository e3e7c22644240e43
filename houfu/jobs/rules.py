"""Rules of jobs. Pure."""

from collections.abc import Collection
from datetime import timedelta

KEPT = timedelta(hours=24)  # for which a file can be had
FILE_MAX = 512 * 1024 * 1024  # bytes of one file
TRIES = 5  # of one step
ROOM = 20  # jobs of a merchant that are open or keep a file; the database counts them
ENDS_OTHERS = "people:write"  # who may cancel what others have asked for: whoever decides on the staff


def own(label: str, platform: bool, asked_by: str, by_platform: bool) -> bool:
    """Say whether somebody is who asked: numbers of the platform's staff and of a merchant's may be the same."""
    return (label, platform) == (asked_by, by_platform)


def visible(
    *,
    scopes: Collection[str],
    stores: Collection[int] | None,
    own: bool,
    needs: Collection[str],
    job_stores: Collection[int] | None,
) -> bool:
    """Say whether somebody may see a job: all that it needed is theirs, and it is their own or they are bound to no
    store. Whoever is bound sees nothing that was made for more stores than they are bound to.

    Args:
        scopes: what they may do.
        stores: the stores that they are bound to; None for all of the merchant.
        own: whether they asked for it.
        needs: the scopes that it asked for.
        job_stores: the stores that its asker was bound to; None for all of the merchant.
    """
    if not set(needs) <= set(scopes):
        return False
    return stores is None or (own and job_stores is not None and set(job_stores) <= set(stores))
