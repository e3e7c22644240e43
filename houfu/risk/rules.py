"""Rules of risk: pure functions over declared facts. What a function says never changes once it was released; another
reading is another rule, which has to go through its shadow first (K8)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from houfu.kernel import clock
from houfu.policies.pack import Risk

Numbers = Mapping[str, int]


class _Facts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class PayoutFacts(_Facts, frozen=True):
    """What the payouts room says of a payout.

    Args:
        person: the natural person who asks; "" for a run.
        device: digest of the device they ask from; "" where none is known.
        ip: the address they ask from; "" where there was none.
        kind: "manual" or "automatic".
        joined: earlier payouts that are judged as one with it, and `joined_fen` their amounts together (P9).
        structured: whether together they reach what the asker could not have asked for at once.
    """

    store_id: int
    beneficiary_id: int
    amount_fen: int
    person: str = ""
    device: str = ""
    ip: str = ""
    kind: str = "manual"
    joined: list[str] = []
    joined_fen: int = 0
    structured: bool = False


class Payout(_Facts, frozen=True, tag="payout"):
    """A payout as it is judged: what was said, where its address is, and what was counted up to it."""

    asked: PayoutFacts
    country: str = ""
    network: str = ""
    counts: dict[str, int] = {}


class Usage(_Facts, frozen=True, tag="usage"):
    """How much of a limit is in use (K1).

    Args:
        subject: "store/3" or "pool/1".
        alerting: whether it was found above the line and not yet below the lower one.
    """

    subject: str
    used_fen: int
    limit_fen: int
    alerting: bool


class StoreDay(_Facts, frozen=True, tag="orders"):
    """A store's orders up to the end of a day, as they were counted."""

    store_id: int
    counts: dict[str, int]


class Month(_Facts, frozen=True, tag="month"):
    """A merchant's orders of a month, all stores together; an order is shared if a part of it stands on a pool.

    Args:
        disputes: disputes of shared orders that were opened in the month.
    """

    orders: int
    volume_fen: int
    shared_orders: int
    shared_fen: int
    disputes: int


Facts = Payout | Usage | StoreDay | Month


@dataclass(frozen=True)
class Rule:
    """A rule that is built in.

    Args:
        rule: id of the rule in the specification.
        about: which facts it reads.
        reason_class: what staff may know of it.
        effects: what a version of it may do when it hits; the first is what ships.
        ships: state of the version that comes with the product.
        numbers: fields of the pack's [risk] that it decides by.
        hits: the decision.
        wants: names of what has to be counted for it.
        concerns: what an alert of it is about; one alert is open for it at a time.
        points: field of the pack that says how many points a hit costs.
    """

    rule: str
    about: type[Facts]
    reason_class: str
    effects: tuple[str, ...]
    ships: str
    numbers: tuple[str, ...]
    hits: Callable[[Any, Numbers], bool]
    wants: Callable[[Numbers], tuple[str, ...]]
    concerns: Callable[[Any], str]
    points: str = ""

    def numbers_of(self, policy: Risk) -> dict[str, int]:
        """Return the pack's numbers that it decides by."""
        return {name: getattr(policy, name) for name in self.numbers}


def device_frequency(facts: Payout, n: Numbers) -> bool:
    """More payouts from one device within the hours than are usual (K2); this one counts."""
    return facts.counts[f"device/{n['device_hours']}"] > n["device_payouts"]


def person_frequency(facts: Payout, n: Numbers) -> bool:
    """More payouts by one person within the hours than are usual (K3); this one counts."""
    return facts.counts[f"person/{n['person_hours']}"] > n["person_payouts"]


def structuring(facts: Payout, n: Numbers) -> bool:
    """Several small payouts that together are more than their asker may ask for at once (P9)."""
    return facts.asked.structured


def unusual_origin(facts: Payout, n: Numbers) -> bool:
    """A country from which none of the person's last payouts came, where any of them came from a known one (K2)."""
    last = n["origin_memory"]
    known, same = facts.counts[f"origins/{last}"], facts.counts[f"origins_same/{last}"]
    return bool(facts.country) and known > 0 and same == 0


def new_network(facts: Payout, n: Numbers) -> bool:
    """A network from which none of the person's last payouts came, where any of them came from a known one (K2)."""
    last = n["origin_memory"]
    known, same = facts.counts[f"networks/{last}"], facts.counts[f"networks_same/{last}"]
    return bool(facts.network) and known > 0 and same == 0


def new_payee_from_new_device(facts: Payout, n: Numbers) -> bool:
    """An account never paid before, from a device never seen before, at a merchant that has paid out before (K3)."""
    counts = facts.counts
    strange = bool(facts.asked.device) and counts["device_before"] == 0 and counts["payee_before"] == 0
    return strange and counts["payouts_before"] >= n["takeover_payouts"]


def restricted_store(facts: Payout, n: Numbers) -> bool:
    """A store that a case has restricted: each of its payouts is looked at (K4)."""
    return facts.counts["restricted"] > 0


def usage_line(facts: Usage, n: Numbers) -> bool:
    """Usage has reached the line (K1). Once above it, only falling below the lower line ends that."""
    return alerting(facts, n) and not facts.alerting


def alerting(facts: Usage, n: Numbers) -> bool:
    """Say whether usage counts as above the line: from the upper line on, until it falls below the lower one (K1)."""
    permille = n["usage_calm_permille"] if facts.alerting else n["usage_alert_permille"]
    return facts.used_fen > 0 and facts.used_fen * 1000 >= permille * facts.limit_fen


def return_rate(facts: StoreDay, n: Numbers) -> bool:
    """More of a store's orders are refunded than is usual, where there are enough of them to say so."""
    orders = facts.counts[f"orders/{n['orders_days']}"]
    refunded = facts.counts[f"refunded/{n['orders_days']}"]
    return orders >= n["orders_least"] and refunded * 1000 > n["return_permille"] * orders


def small_orders(facts: StoreDay, n: Numbers) -> bool:
    """One buyer with more small orders on a day than is usual."""
    return facts.counts[f"small/{n['small_order_fen']}"] > n["small_orders"]


def first_orders(facts: StoreDay, n: Numbers) -> bool:
    """More of a day's orders are buyers' first ones than is usual, where there are enough of them to say so."""
    orders, firsts = facts.counts["orders/1"], facts.counts["firsts"]
    return orders >= n["orders_least"] and firsts * 1000 > n["first_orders_permille"] * orders


def shared_volume(facts: Month, n: Numbers) -> bool:
    """Shared orders are more of the month's volume than they may be (K5)."""
    return facts.shared_fen * 1000 > n["shared_volume_permille"] * facts.volume_fen


def dispute_rate(facts: Month, n: Numbers) -> bool:
    """More of the shared orders are disputed than may be (K6)."""
    return facts.shared_orders > 0 and facts.disputes * 1000 > n["dispute_permille"] * facts.shared_orders


def _nothing(n: Numbers) -> tuple[str, ...]:
    return ()


RULES: dict[str, Rule] = {
    "restricted_store": Rule(
        "K4", Payout, "restriction", ("hold",), "active", (), restricted_store,
        lambda n: ("restricted",), lambda facts: f"store/{facts.asked.store_id}",
    ),
    "device_frequency": Rule(
        "K2", Payout, "device", ("hold", "alert"), "active", ("device_payouts", "device_hours"), device_frequency,
        lambda n: (f"device/{n['device_hours']}",), lambda facts: f"device/{facts.asked.device}",
    ),
    "person_frequency": Rule(
        "K3", Payout, "frequency", ("hold", "alert"), "active", ("person_payouts", "person_hours"), person_frequency,
        lambda n: (f"person/{n['person_hours']}",), lambda facts: f"person/{facts.asked.person}",
    ),
    "new_payee_from_new_device": Rule(
        "K3", Payout, "beneficiary", ("hold", "alert"), "active", ("takeover_payouts",), new_payee_from_new_device,
        lambda n: ("device_before", "payee_before", "payouts_before"),
        lambda facts: f"beneficiary/{facts.asked.beneficiary_id}",
    ),
    "structuring": Rule(
        "P9", Payout, "frequency", ("hold", "alert"), "active", (), structuring,
        _nothing, lambda facts: f"person/{facts.asked.person}",
    ),
    "unusual_origin": Rule(
        "K2", Payout, "origin", ("alert", "hold"), "active", ("origin_memory",), unusual_origin,
        lambda n: (f"origins/{n['origin_memory']}", f"origins_same/{n['origin_memory']}"),
        lambda facts: f"person/{facts.asked.person}",
    ),
    "new_network": Rule(
        "K2", Payout, "origin", ("alert", "hold"), "shadow", ("origin_memory",), new_network,
        lambda n: (f"networks/{n['origin_memory']}", f"networks_same/{n['origin_memory']}"),
        lambda facts: f"person/{facts.asked.person}",
    ),
    "usage_line": Rule(
        "K1", Usage, "usage", ("alert",), "active", ("usage_alert_permille", "usage_calm_permille"), usage_line,
        _nothing, lambda facts: facts.subject,
    ),
    "return_rate": Rule(
        "K3", StoreDay, "returns", ("alert",), "active",
        ("orders_days", "orders_least", "return_permille"), return_rate,
        lambda n: (f"orders/{n['orders_days']}", f"refunded/{n['orders_days']}"),
        lambda facts: f"store/{facts.store_id}",
    ),
    "small_orders": Rule(
        "K3", StoreDay, "orders", ("alert",), "shadow", ("small_order_fen", "small_orders"), small_orders,
        lambda n: (f"small/{n['small_order_fen']}",), lambda facts: f"store/{facts.store_id}",
    ),
    "first_orders": Rule(
        "K3", StoreDay, "orders", ("alert",), "shadow", ("orders_least", "first_orders_permille"), first_orders,
        lambda n: ("orders/1", "firsts"), lambda facts: f"store/{facts.store_id}",
    ),
    "shared_volume": Rule(
        "K5", Month, "sharing", ("score", "alert"), "active", ("shared_volume_permille", "shared_volume_points"),
        shared_volume, _nothing, lambda facts: "merchant", "shared_volume_points",
    ),
    "dispute_rate": Rule(
        "K6", Month, "disputes", ("score", "alert"), "active", ("dispute_permille", "dispute_points"),
        dispute_rate, _nothing, lambda facts: "merchant", "dispute_points",
    ),
}  # fmt: skip
ORDER = tuple(RULES)


class Applied(_Facts, frozen=True):
    """A version of a rule as it was applied to facts, and whether it hit. Only an active one acts (K8)."""

    rule: str
    version: int
    mode: str
    effect: str
    reason_class: str
    numbers: dict[str, int]
    hit: bool


@dataclass(frozen=True)
class Version:
    """A version of a rule with every number that it decides by."""

    rule: str
    version: int
    mode: str
    effect: str
    numbers: dict[str, int]

    @property
    def of(self) -> Rule:
        return RULES[self.rule]


def apply(facts: Facts, versions: Iterable[Version]) -> list[Applied]:
    """Return what each version says to the facts, in the order of the rules."""
    ordered = sorted(versions, key=lambda v: (ORDER.index(v.rule), v.version))
    return [
        Applied(
            rule=v.rule,
            version=v.version,
            mode=v.mode,
            effect=v.effect,
            reason_class=v.of.reason_class,
            numbers=v.numbers,
            hit=v.of.hits(facts, v.numbers),
        )
        for v in ordered
    ]


@dataclass(frozen=True)
class Outcome:
    """What follows from all that applied: the strongest effect of the active ones that hit."""

    outcome: str
    reason_class: str


STRENGTH = ("hold", "score", "alert")


def outcome(applied: Iterable[Applied]) -> Outcome:
    """Return what follows; versions in shadow are not heard (K8)."""
    acting = [each for each in applied if each.hit and each.mode == "active"]
    for effect in STRENGTH:
        for each in acting:
            if each.effect == effect:
                return Outcome(effect, each.reason_class)
    return Outcome("allow", "")


def again(facts: Facts, applied: Iterable[Applied]) -> list[Applied]:
    """Apply the same versions with the same numbers once more, as a replay does (I-20)."""
    return [msgspec.structs.replace(each, hit=RULES[each.rule].hits(facts, each.numbers)) for each in applied]


def last_ended(at: datetime) -> tuple[date, date]:
    """Return the last day that is over, and the first day of the last month that is (I-18)."""
    today = clock.business_day(at)
    return today - timedelta(days=1), (today.replace(day=1) - timedelta(days=1)).replace(day=1)


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def written(value: Facts | list[Applied]) -> str:
    """Write facts, or what was applied, as JSON in one way only."""
    return msgspec.json.encode(value, order="deterministic").decode()


def read_facts(text: str) -> Facts:
    """Return the facts that a decision was made on."""
    facts: Facts = msgspec.json.decode(text, type=Facts)
    return facts


def read_applied(text: str) -> list[Applied]:
    """Return what was applied in a decision."""
    return msgspec.json.decode(text, type=list[Applied])
