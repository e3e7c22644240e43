"""Every number of the rules, as the shipped packs state it, by the instant of the fact."""

from datetime import timedelta

import msgspec
import pytest

from houfu.kernel import clock
from houfu.policies import pack, queries
from houfu.policies.queries import NoPolicy

pytestmark = pytest.mark.usefixtures("db")

BASE, FILING, WAIVER = "2000-01-01", "2023-09-01", "2023-11-01"
MICROSECOND = timedelta(microseconds=1)

YUAN = 100
RULES = {
    "O1": {"orders.authorisation_days": 15, "orders.payment_due_days": 15},
    "O2": {"orders.carrier_proof_days": 7},
    "O4": {"orders.maturity_days": 7, "orders.logistics_maturity_days": 1},
    "O5": {
        "buyers.lines": [
            {"score": 700, "line_fen": 5_000 * YUAN},
            {"score": 650, "line_fen": 3_000 * YUAN},
            {"score": 600, "line_fen": 1_500 * YUAN},
            {"score": 550, "line_fen": 500 * YUAN},
        ],
        "buyers.unknown_minutes": 10,
    },
    "O6": {"orders.tolerance_permille": 1200, "orders.tolerance_note_hours": 24},
    "P1": {
        "payouts.automatic.weekdays": [3, 5],
        "payouts.automatic.at": "10:00",
        "payouts.automatic.fee_permille": 6,
        "payouts.automatic.arrival_workdays": [1, 3],
    },
    "P2": {
        "payouts.manual.opens": "09:00",
        "payouts.manual.closes": "21:00",
        "payouts.manual.fee_permille": 8,
        "payouts.manual.arrival_hours": 2,
    },
    "P4": {"payouts.minimum_fen": 100 * YUAN},
    "P5": {"payouts.coverage_permille": 1500},
    "P6": {"payouts.cooling_hours": 24},
    "P8": {
        "payouts.purposes": ["goods_settlement", "freight", "supplier_payment", "refund_reserve"],
        "payouts.denied_purposes": ["platform_service_fee", "wages", "third_party_profit_share"],
    },
    "P9": {"payouts.structuring_hours": [24, 72]},
    "S1": {"staff.clerk.per_payout_fen": 5_000 * YUAN, "staff.clerk.reach": "own_store", "staff.clerk.approvers": []},
    "S2": {
        "staff.store_manager.per_payout_fen": 20_000 * YUAN,
        "staff.store_manager.reach": "own_and_shared",
        "staff.store_manager.approvers": ["supervisor"],
    },
    "S3": {
        "staff.regional_manager.per_payout_fen": 50_000 * YUAN,
        "staff.regional_manager.reach": "group",
        "staff.regional_manager.approvers": ["legal"],
    },
    "S4": {"staff.above.reach": "group", "staff.above.approvers": ["owner", "legal"]},
    "S5": {"staff.daily_count": [1, 5]},
    "S6": {"staff.clerk.monthly_fen": 5_000 * YUAN, "staff.store_manager.monthly_fen": 20_000 * YUAN},
    "S7": {
        "approvals.delegation_days": 30,
        "approvals.look_minutes": 5,
        "approvals.reminder_hours": 24,
        "staff.approval_hours": 72,
        "payouts.beneficiary_approvers": ["legal"],
    },
    "S8": {"staff.face_permyriad": 9920, "staff.step_up_minutes": 5},
    "4.6": {"staff.access_hours": 8},
    "4.9": {"retention.address_days": 365, "retention.delivery_days": 180},
    "G3": {"pools.max_stores": 10},
    "G4": {"pools.limit_fen": 3_000_000 * YUAN},
    "G2": {"pools.signatories": ["owner"], "pools.probation_days": 30, "pools.probation_share": 1},
    "G9": {"pools.confirmers": ["supervisor"]},
    "G10": {"pools.filing_reviewers": ["legal"]},
    "G5": {"pools.share_min": 1, "pools.share_max": 9},
    "L1": {"loans.amount_fen": 5_000 * YUAN, "loans.days": 7, "loans.open_per_store": 1},
    "L2": {"restoration.orders": 10, "restoration.restores_fen": 100 * YUAN, "restoration.lot_fen": 500 * YUAN},
    "L3": {
        "loans.emergency.repayments": 3,
        "loans.emergency.within_hours": 24,
        "loans.emergency.restore_after_days": 1,
        "loans.emergency.apply_days": 7,
        "loans.emergency.reviewers": ["supervisor"],
    },
    "L4": {"dynamic.base_fen": 500_000 * YUAN, "dynamic.floating_fen": 300_000 * YUAN},
    "L5": {
        "dynamic.bands": [
            {"name": "morning_market", "opens": "05:00", "closes": "11:00", "limit_fen": 80_000 * YUAN},
            {"name": "evening", "opens": "17:00", "closes": "23:00", "limit_fen": 200_000 * YUAN},
        ]
    },
    "L6": {
        "dynamic.rain_fen": 50_000 * YUAN,
        "dynamic.weather_stale_hours": 6,
        "dynamic.rain_tenths_mm": 1,
        "dynamic.weather_minutes": 30,
    },
    "L7": {
        "cross_platform.conversion_permille": 800,
        "cross_platform.abnormal_hold_hours": 48,
        "cross_platform.abnormal_per_day": 2,
        "cross_platform.abnormal_share_permille": 500,
        "cross_platform.confirm_hours": 72,
        "cross_platform.recognition_approvers": ["owner"],
    },
    "L8": {
        "splits.order_permille": 900,
        "splits.party_approvers": ["legal"],
        "splits.rule_approvers": ["legal"],
        "splits.tell_seconds": 5,
    },
    "K1": {"risk.usage_alert_permille": 700, "risk.usage_calm_permille": 650},
    "K2": {"risk.device_payouts": 5, "risk.device_hours": 72},
    "K3": {
        "risk.person_payouts": 15,
        "risk.person_hours": 72,
        "risk.origin_memory": 20,
        "risk.takeover_payouts": 3,
        "risk.return_permille": 200,
        "risk.orders_days": 30,
        "risk.orders_least": 20,
        "risk.small_order_fen": 50 * YUAN,
        "risk.small_orders": 10,
        "risk.first_orders_permille": 800,
    },
    "K4": {"risk.appeals_per_month": 1, "risk.case_hours": 72, "risk.reminder_hours": 24},
    "K5": {"risk.shared_volume_permille": 300, "risk.shared_volume_points": 5},
    "K6": {"risk.dispute_permille": 50, "risk.dispute_points": 15},
    "T1": {"compliance.tax_category": "其他应税所得"},
    "T2": {"compliance.voucher_years": 5},
    "T3": {"compliance.vat_task_year_fen": 500_000 * YUAN},
}
FROM_SEPTEMBER = {"G10": {"pools.filing_above_fen": 500_000 * YUAN}}
FROM_NOVEMBER = {
    "P7": {"payouts.waiver.minimum_fen": 50_000 * YUAN, "payouts.waiver.count": 1_000_000},
    "T4": {"compliance.look_through.shared_fen": 2_000_000 * YUAN, "compliance.look_through.months": 3},
}
BOUNDARIES = [
    (clock.shanghai(2000, 1, 1), BASE),
    (clock.shanghai(2023, 8, 31, 23, 59, 59), BASE),
    (clock.shanghai(2023, 9, 1) - MICROSECOND, BASE),
    (clock.shanghai(2023, 9, 1), FILING),
    (clock.shanghai(2023, 10, 31, 23, 59, 59), FILING),
    (clock.shanghai(2023, 11, 1) - MICROSECOND, FILING),
    (clock.shanghai(2023, 11, 1), WAIVER),
    (clock.shanghai(2026, 1, 1), WAIVER),
]


def stated(*rules):
    return {path: value for each in rules for numbers in each.values() for path, value in numbers.items()}


def numbers_of(policy):
    """Return every number of a policy by its dotted path, and nothing about the pack itself."""
    document = msgspec.json.decode(msgspec.json.encode(policy))
    about = {"version", "effective_from", "title", "source"}
    return {path: new for path, _, new in pack.diff({}, document) if path not in about and new is not None}


@pytest.mark.parametrize(("instant", "version"), BOUNDARIES)
def test_the_pack_in_force_is_the_one_that_took_effect_last(instant, version):
    assert queries.at(instant).version == version


def test_many_facts_are_each_judged_by_the_pack_of_their_own_instant():
    instants = [instant for instant, _ in reversed(BOUNDARIES)]
    assert [policy.version for policy in queries.at_each(instants)] == [version for _, version in reversed(BOUNDARIES)]
    assert queries.at_each([]) == []


@pytest.mark.parametrize("instant", [clock.shanghai(2000, 1, 1) - MICROSECOND, clock.shanghai(1999, 6, 1)])
def test_before_the_first_pack_nothing_is_in_force(instant):
    with pytest.raises(NoPolicy):
        queries.at(instant)
    with pytest.raises(NoPolicy):
        queries.at_each([clock.shanghai(2025, 1, 1), instant])


def test_the_rules_are_these_numbers_and_no_others():
    assert numbers_of(queries.at(clock.shanghai(2023, 8, 31, 23, 59, 59))) == stated(RULES)


def test_from_september_2023_pools_above_500_000_need_a_filing():
    """G10."""
    assert queries.at(clock.shanghai(2023, 8, 31, 23, 59, 59)).pools.filing_above_fen is None
    assert numbers_of(queries.at(clock.shanghai(2023, 9, 1))) == stated(RULES, FROM_SEPTEMBER)


def test_from_november_2023_large_payouts_are_free_and_legal_persons_are_looked_through():
    """P7, T4."""
    before = queries.at(clock.shanghai(2023, 10, 31, 23, 59, 59))
    assert (before.payouts.waiver, before.compliance.look_through) == (None, None)
    assert numbers_of(queries.at(clock.shanghai(2023, 11, 1))) == stated(RULES, FROM_SEPTEMBER, FROM_NOVEMBER)
