"""Reading the weather that was last known."""

from collections import defaultdict
from datetime import datetime, timedelta

from houfu.channels.weather.models import Weather
from houfu.limits import queries as limits
from houfu.people.actor import Actor

Pools = list[tuple[int, int]]  # merchant and pool


def places_to_ask(at: datetime, minutes: int) -> dict[str, Pools]:
    """Return the pools that follow the weather by the places whose turn it is, so that each place is asked about once.

    Args:
        minutes: how long a place is left alone once it was asked about.
    """
    lately = Weather.objects.filter(asked_at__gt=at - timedelta(minutes=minutes))
    known = set(lately.values_list("merchant_id", "place"))
    found: dict[str, Pools] = defaultdict(list)
    for each in limits.places(at):
        if each.place and (each.merchant_id, each.place) not in known:
            found[each.place].append((each.merchant_id, each.pool_id))
    return dict(found)


def known(by: Actor, merchant_id: int) -> list[Weather]:
    """Return what was last known of each of a merchant's places."""
    by.require("limits:read", merchant_id)
    by.require_whole()
    return list(Weather.objects.filter(merchant_id=merchant_id).order_by("place"))
