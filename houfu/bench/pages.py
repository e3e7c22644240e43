"""houfu bench pages: how long the console's pages take on the server while the orders are many."""

import time
from dataclasses import replace
from typing import Any

from houfu.bench import figures, ground, scene
from houfu.bench.scene import Place
from houfu.kernel import clock
from houfu.kernel.errors import Refused
from houfu.limits import queries as limits
from houfu.orders import actions as orders
from houfu.orders import queries
from houfu.people import actions as people
from houfu.people import queries as staff
from houfu.people.actor import EVERYBODY, Actor
from houfu.testing.world import at_work

FILL = 10_000  # orders decided at once while the scene is set
STORES = 10
ROUNDS = 21
WARM = 3
LANGUAGES = ("zh-hans", "en")
MOST_MS = 50.0
MERCHANTS = (
    "", "overview/trend", "orders", "orders?state=authorised", "orders?store={store}", "orders/{order}",
    "orders/{order}/payouts", "payouts", "payouts/new", "payouts/automatic", "approvals", "beneficiaries", "people",
    "rules", "rules/compared", "integrations", "history", "history?noun=orders", "history/1", "jobs", "access",
    "exports/orders", "imports", "limits", "limits/{store}", "pools", "pools/{pool}", "limits/dynamic/{pool}",
    "forecasts", "whatifs", "risk", "settings", "orders?state=declined", "people/{member}", "people/{member}/counts",
)  # fmt: skip
PLATFORMS = (
    "", "platform/merchants", "platform/merchants/{merchant}", "platform/cases", "platform/risk-rules",
    "platform/risk-rules/lately", "platform/risk-rules/device_frequency/1", "platform/runs", "platform/health", "rules",
    "rules/new",
)  # fmt: skip


class PageFailed(Refused):
    """A page that is measured answers with something else than itself."""

    code = "bench_page_failed"
    status = 500


def measure(rows: int) -> dict[str, Any]:
    """Ask for every page of the console again and again, in the server's own process, and return the medians.

    What is timed is all that a process does between the request and the answer: who asks, the page's reads in their
    one transaction, its template; neither the wire nor the browser.

    Args:
        rows: how many orders the merchant has.
    """
    with ground.ground() as (crew, _):
        found = crew.one(_measure, rows)
        return {"bench": "pages", **found, "verify": crew.one(ground.verify), "machine": crew.one(ground.machine)}


def _measure(rows: int) -> dict[str, Any]:
    began = time.perf_counter()
    places = scene.hot(STORES)
    for asked in scene.batched(scene.load(places, "page", max(0, rows - STORES)), FILL):
        orders.decide(asked=asked)
    ground.analyse()
    set_up = time.perf_counter() - began
    place = places[0]
    owner = staff.actor_of_staff(staff.holders(place.merchant_id, "owner", clock.now())[0])
    member, _ = people.invite(
        by=scene.BY, merchant_id=0, name="平台小李", identity="BENCH0000000000000", settings=people.Settings("operator")
    )
    visitor = replace(at_work(member), duty=EVERYBODY)
    named = _named(owner, place)
    pages = {
        **{f"/console/{each}": _timed(owner, each.format(**named)) for each in MERCHANTS},
        **{f"operator /console/{each}": _timed(visitor, each.format(**named)) for each in PLATFORMS},
    }
    goals = [figures.at_most("F11", f"{name}, ms", MOST_MS, page["p50"]) for name, page in pages.items()]
    return {"rows": rows, "scene_seconds": round(set_up, 1), "pages": pages, "goals": goals}


def _named(by: Actor, place: Place) -> dict[str, Any]:
    order = queries.orders(by, place.merchant_id, limit=1)[0]
    pool = limits.pools(by, place.merchant_id)[0]
    return {
        "store": place.store_id, "order": order.id, "merchant": place.merchant_id, "pool": pool.id,
        "member": by.staff_id,
    }  # fmt: skip


def _timed(by: Actor, page: str) -> dict[str, float]:
    """Return p50 and p99 of a page's time, warm, in both languages in turn.

    Raises:
        PageFailed: the page answers anything but 200.
    """
    laps = []
    for turn in range(WARM + ROUNDS):
        began = time.perf_counter()
        _answer(by, f"/console/{page}", LANGUAGES[turn % 2])
        laps.append(time.perf_counter() - began)
    return figures.milliseconds(laps[WARM:])


def _answer(by: Actor, address: str, language: str) -> None:
    from django.test import RequestFactory
    from django.urls import resolve

    from houfu.kernel import isolation
    from houfu.site.shell import ConsoleMiddleware

    request = RequestFactory().get(address, HTTP_HOST="localhost")
    request.COOKIES["houfu-language"] = language
    request.houfu_actor = by  # type: ignore[attr-defined]
    request.session, request.user = {}, None  # type: ignore[assignment]
    before = isolation.in_force()
    try:
        middleware = ConsoleMiddleware(lambda asked: _view(middleware, resolve, asked))
        response = middleware(request)
    finally:
        isolation.enter(before)
    if response.status_code != 200:
        raise PageFailed(page=address, status=response.status_code)


def _view(middleware: Any, resolve: Any, request: Any) -> Any:
    found = resolve(request.path_info)
    return middleware.process_view(request, found.func, found.args, found.kwargs)
