"""Long work of insight as jobs: what-ifs and back-tests that are asked for, done by the runner, and found again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from houfu.insight import actions, queries, rules
from houfu.jobs import actions as jobs
from houfu.jobs import kinds
from houfu.jobs.kinds import Arguments, Part, Tell
from houfu.jobs.models import Job
from houfu.kernel.errors import Invalid, Refused
from houfu.merchants import queries as merchants
from houfu.orders import queries as orders
from houfu.people.actor import Actor
from houfu.policies import queries as policies
from houfu.policies.pack import Policy

MOST_ORDERS = 10_000  # of a past that a job lives through twice: minutes, for which other merchants' jobs wait
STORES_SHOWN = 80  # whose figures a job's row has room for


class TooManyOrders(Refused):
    """The past is too long for a job; `houfu limit whatif` lives through any."""

    code = "insight_too_many_orders"


class PolicyTwice(Invalid):
    """A what-if supposes a pack that is loaded or one that is not, not both."""

    code = "insight_policy_twice"


class PeriodEmpty(Invalid):
    """What is supposed has to begin before it ends."""

    code = "insight_period_empty"


def ask_what_if(
    *,
    by: Actor,
    merchant_id: int,
    policy: str = "",
    draft: str = "",
    changes_fen: Mapping[int, int] | None = None,
    begins: datetime | None = None,
    ends: datetime | None = None,
    reason: str = "",
    id: UUID | None = None,
) -> Job:
    """Ask what would have become of a merchant's orders under another policy or other limits (T5); see `what_if`.

    Args:
        policy: version of a pack that is loaded; empty for those that were in force.
        draft: TOML of a pack that is not loaded, in its place.
        changes_fen: by how much stores' own limits would have differed, by store.
        begins, ends: since when and before when; None for always.
        id: chosen by the caller, so that asking again asks once.

    Raises:
        NotFound, PackInvalid, PolicyTwice, StoreUnknown, PeriodEmpty, NoOrders, TooManyOrders, and what `jobs.ask`
            refuses with: nothing waits.
    """
    WHAT_IF.require(by, merchant_id, {})
    _policy(policy, draft)
    if unknown := sorted(set(changes_fen or ()) - set(merchants.stores_by_code(merchant_id).values())):
        raise actions.StoreUnknown(stores=unknown)
    if begins and ends and begins >= ends:
        raise PeriodEmpty(begins=begins.isoformat(), ends=ends.isoformat())
    _refuse_size(by, merchant_id)
    said = {
        "policy": policy,
        **({"draft": draft} if draft else {}),
        "changes_fen": {str(store_id): fen for store_id, fen in (changes_fen or {}).items() if fen},
        "begins": begins.isoformat() if begins else None,
        "ends": ends.isoformat() if ends else None,
    }
    return jobs.ask(by=by, merchant_id=merchant_id, kind=WHAT_IF.name, arguments=said, reason=reason, id=id)


def ask_back_test(
    *,
    by: Actor,
    merchant_id: int,
    days: int = 28,
    ahead_hours: int = 48,
    model: str = "profile",
    id: UUID | None = None,
) -> Job:
    """Ask how wrong forecasts would have been about a merchant's orders, beside the week before; see `back_test`.

    Args:
        days: how many days are forecast.
        ahead_hours: how far from each origin.

    Raises:
        ModelUnknown, ModelMissing, and what `jobs.ask` refuses with: nothing waits.
    """
    queries.model_named(model)
    said = {"days": days, "ahead_hours": ahead_hours, "model": model}
    return jobs.ask(by=by, merchant_id=merchant_id, kind=BACK_TEST.name, arguments=said, id=id)


def _policy(version: str, draft: str) -> Policy | None:
    """Return the policy that is supposed: of a pack that is loaded, of one that is not, or none."""
    if version and draft:
        raise PolicyTwice()
    if draft:
        return policies.drafted(draft)
    return policies.version(version) if version else None


def _refuse_size(by: Actor, merchant_id: int) -> None:
    count = orders.count(by, merchant_id)
    if not count:
        raise actions.NoOrders()
    if count > MOST_ORDERS:
        raise TooManyOrders(orders=count, most=MOST_ORDERS)


def _what_if(by: Actor, merchant_id: int, said: Arguments, tell: Tell) -> Part:
    """Live through the past; the process has one thread that reads the clock, and this is it."""
    _refuse_size(by, merchant_id)
    supposed = actions.Supposed(
        _policy(said["policy"], said.get("draft", "")),
        {int(store_id): fen for store_id, fen in said["changes_fen"].items()},
        _instant(said["begins"]),
        _instant(said["ends"]),
    )
    reached = 0

    def progress(run: str, done: int, of: int) -> None:
        nonlocal reached
        reached = 2 * of
        tell(done + (of if run == "now" else 0), reached)

    found = actions.what_if(by=by, merchant_id=merchant_id, supposed=supposed, progress=progress)
    return Part(None, reached, reached, result=shortened(found))


def shortened(found: dict[str, Any]) -> dict[str, Any]:
    """Return a what-if with as many stores as a row has room for, those first for which most differs."""

    def differs(store: Mapping[str, Any]) -> int:
        return -abs(int(store["now"]["refused_fen"]) - int(store["then"]["refused_fen"]))

    stores = sorted(found["stores"], key=differs)
    return {**found, "stores": stores[:STORES_SHOWN], "stores_left_out": len(stores[STORES_SHOWN:])}


def _instant(said: str | None) -> datetime | None:
    return datetime.fromisoformat(said) if said else None


def _back_test(by: Actor, merchant_id: int, said: Arguments, tell: Tell) -> Part:
    reached = 0

    def progress(done: int, of: int) -> None:
        nonlocal reached
        reached = of
        tell(done, of)

    plan = rules.Plan(days=said["days"], ahead_hours=said["ahead_hours"])
    found = queries.back_test(by, merchant_id, models=[said["model"]], plan=plan, progress=progress)
    return Part(None, reached, reached, result=found)


WHAT_IF = kinds.kind(
    "insight.whatif", at_once=_what_if, needs=lambda _: frozenset({"limits:read", "orders:read"}), whole=True
)
BACK_TEST = kinds.kind("insight.backtest", at_once=_back_test, needs=lambda _: frozenset({"orders:read"}))
