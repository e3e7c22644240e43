"""Each number decides the same below it, at it and above it; usage does not flutter between its two lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from houfu.risk import rules

ASKED = rules.PayoutFacts(store_id=1, beneficiary_id=2, amount_fen=5, person="wang", device="D")


def payout(country="", network="", **counts):
    return rules.Payout(
        asked=ASKED, country=country, network=network, counts={k.replace("__", "/"): n for k, n in counts.items()}
    )


def day(**counts):
    return rules.StoreDay(store_id=1, counts={k.replace("__", "/"): n for k, n in counts.items()})


def month(volume_fen=1000, shared_fen=0, shared_orders=100, disputes=0):
    return rules.Month(
        orders=200, volume_fen=volume_fen, shared_fen=shared_fen, shared_orders=shared_orders, disputes=disputes
    )


def usage(used_fen, alerting=False, limit_fen=1000):
    return rules.Usage(subject="store/1", used_fen=used_fen, limit_fen=limit_fen, alerting=alerting)


LINES = {"usage_alert_permille": 700, "usage_calm_permille": 650}
RETURNS = {"orders_days": 30, "orders_least": 20, "return_permille": 200}
FIRSTS = {"orders_least": 20, "first_orders_permille": 800}


@pytest.mark.parametrize(
    ("rule", "numbers", "make", "table"),
    [
        ("device_frequency", {"device_payouts": 5, "device_hours": 72}, lambda n: payout(device__72=n),
         {4: False, 5: False, 6: True}),
        ("person_frequency", {"person_payouts": 15, "person_hours": 24}, lambda n: payout(person__24=n),
         {14: False, 15: False, 16: True}),
        ("new_payee_from_new_device", {"takeover_payouts": 3},
         lambda n: payout(device_before=0, payee_before=0, payouts_before=n), {2: False, 3: True, 4: True}),
        ("restricted_store", {}, lambda n: payout(restricted=n), {0: False, 1: True}),
        ("unusual_origin", {"origin_memory": 9}, lambda n: payout("FR", origins__9=n, origins_same__9=0),
         {0: False, 1: True}),
        ("new_network", {"origin_memory": 9}, lambda n: payout(network="N", networks__9=n, networks_same__9=0),
         {0: False, 1: True}),
        ("structuring", {}, lambda n: rules.Payout(asked=replace(ASKED, structured=bool(n))), {0: False, 1: True}),
        ("usage_line", LINES, usage, {699: False, 700: True, 701: True}),
        ("return_rate", RETURNS, lambda n: day(orders__30=100, refunded__30=n), {19: False, 20: False, 21: True}),
        ("return_rate", RETURNS, lambda n: day(orders__30=n, refunded__30=n), {19: False, 20: True, 21: True}),
        ("small_orders", {"small_order_fen": 5000, "small_orders": 10}, lambda n: day(small__5000=n),
         {9: False, 10: False, 11: True}),
        ("first_orders", FIRSTS, lambda n: day(orders__1=100, firsts=n), {79: False, 80: False, 81: True}),
        ("shared_volume", {"shared_volume_permille": 300, "shared_volume_points": 5}, lambda n: month(shared_fen=n),
         {299: False, 300: False, 301: True}),
        ("dispute_rate", {"dispute_permille": 50, "dispute_points": 15}, lambda n: month(disputes=n),
         {4: False, 5: False, 6: True}),
    ],
)  # fmt: skip
def test_a_number_decides_the_same_around_its_limit(rule, numbers, make, table):
    assert {n: rules.RULES[rule].hits(make(n), numbers) for n in table} == table
    assert set(numbers) == set(rules.RULES[rule].numbers)


def test_the_table_above_has_every_rule():
    [marked] = test_a_number_decides_the_same_around_its_limit.pytestmark
    assert {case[0] for case in marked.args[1]} == set(rules.RULES)


@pytest.mark.parametrize(
    ("country", "known", "same", "hit"),
    [("FR", 5, 0, True), ("FR", 5, 1, False), ("FR", 0, 0, False), ("", 5, 0, False)],
)
def test_an_origin_is_unusual_only_where_origins_are_known(country, known, same, hit):
    facts = payout(country, origins__20=known, origins_same__20=same)
    assert rules.unusual_origin(facts, {"origin_memory": 20}) is hit


def test_a_month_without_shared_orders_has_no_rate():
    assert not rules.dispute_rate(month(shared_orders=0, disputes=3), {"dispute_permille": 50})


def test_a_limit_of_nothing_is_reached_by_using_anything():
    assert rules.alerting(usage(1, limit_fen=0), LINES)
    assert not rules.alerting(usage(0, limit_fen=0), LINES)


@given(st.lists(st.integers(0, 1000), max_size=60))
def test_usage_alerts_once_for_each_time_it_rises_to_the_line_from_below_the_lower_one(path):
    above, alerts, armed, expected = False, [], True, []
    for place, used_fen in enumerate(path):
        facts = usage(used_fen, above)
        if rules.usage_line(facts, LINES):
            alerts.append(place)
        above = rules.alerting(facts, LINES)
        armed = armed or used_fen < 650
        if armed and used_fen >= 700:
            expected.append(place)
            armed = False
    assert alerts == expected


def applied(effect, mode="active", hit=True, reason_class="device"):
    return rules.Applied(
        rule="device_frequency", version=1, mode=mode, effect=effect, reason_class=reason_class, numbers={}, hit=hit
    )


def test_the_strongest_effect_of_what_acts_decides():
    assert rules.outcome([]) == rules.Outcome("allow", "")
    assert rules.outcome([applied("alert"), applied("hold", reason_class="origin")]) == rules.Outcome("hold", "origin")
    assert rules.outcome([applied("alert"), applied("hold", hit=False)]) == rules.Outcome("alert", "device")
    assert rules.outcome([applied("hold", mode="shadow")]) == rules.Outcome("allow", "")
