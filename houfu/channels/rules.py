"""What an answer allows to conclude of something that a channel executes at most once. Pure."""

from datetime import datetime, timedelta

from houfu.channels.port import Dedupe, Verdict

LEASE = timedelta(seconds=60)  # how long the worker that began an attempt is left alone with it
SKEW = timedelta(seconds=60)  # how far the channel's clock may be from ours
_PATIENCE = (10, 30, 60, 120, 300, 600)  # seconds until the next question, by how many were asked


def look_again(at: datetime, tries: int) -> datetime:
    """Return when to ask again about something whose outcome is open."""
    return at + timedelta(seconds=_PATIENCE[min(tries, len(_PATIENCE) - 1)])


def conclude(verdict: Verdict, dedupe: Dedupe, signed_at: datetime, window: timedelta, at: datetime) -> Verdict:
    """Return what an answer allows to conclude: not found is a denial only once the number can arrive no more (I-09).

    Args:
        signed_at: the instant for which the request was signed. Where a channel dedupes strictly, the number may have
            been sent again since, and not found never denies.
        window: how long after that the channel accepts it.
    """
    if verdict is not Verdict.NOT_FOUND:
        return verdict
    arrives_no_more = dedupe is not Dedupe.STRICT and at > signed_at + window + SKEW
    return Verdict.DENIED if arrives_no_more else Verdict.UNKNOWN


def may_repeat(verdict: Verdict, dedupe: Dedupe) -> bool:
    """Say whether the same number may be sent again: only where the channel makes that harmless, and has not got it."""
    return verdict is Verdict.NOT_FOUND and dedupe is Dedupe.STRICT
