"""Every check of `houfu verify` finds the one thing that it is for, and nothing in a world that is whole."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import psycopg
import pytest
from django.db import connection

from houfu.approvals import actions as approvals
from houfu.buyers import actions as buyers
from houfu.channels.port import Verdict
from houfu.kernel import clock
from houfu.kernel.clock import SteppedClock, shanghai, standing_at
from houfu.limits import actions as limits
from houfu.limits import queries as limit_queries
from houfu.merchants import actions as merchants
from houfu.orders import actions as orders
from houfu.payouts import actions as payouts
from houfu.payouts import tasks
from houfu.people.actor import operator
from houfu.risk import actions as risk
from houfu.risk import queries as risk_queries
from houfu.site import worker
from houfu.splits.rules import Wanted
from houfu.splits.tests.ground import Chain
from houfu.testing.company import open_company
from houfu.testing.platforms import open_platforms
from houfu.testing.plugin import MONDAY_TEN, own_database
from houfu.testing.world import OPERATOR, WORKER, open_shop, pool, share_on, signed_pool
from houfu.verify import queries
from houfu.webhooks import actions as webhooks
from houfu.webhooks import queries as webhook_queries
from houfu.webhooks.wire import Answer

BANK = "INSERT INTO ledger_account (merchant_id, kind, owner, unit, grows_by, below_zero, balance_fen) VALUES "

DEFINER = "CREATE FUNCTION shown() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER "
# What would let a merchant at another's rows, one by one.
WAYS_ROUND = (
    "ALTER TABLE orders_lot NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY merchant_v1 ON ledger_account",
    "CREATE POLICY open ON orders_order USING (true)",
    "ALTER POLICY merchant_v1 ON orders_order TO PUBLIC",
    "ALTER POLICY merchant_v1 ON orders_order WITH CHECK (true)",
    "ALTER POLICY merchant_v1 ON orders_order USING (coalesce(merchant_id = (SELECT kernel_merchant_v1()), true))",
    "ALTER POLICY merchant_v1 ON orders_order USING (merchant_id IN (SELECT merchant_id FROM limits_member))",
    "ALTER POLICY engine_v1 ON ledger_account USING (true)",
    "ALTER POLICY auditor_v1 ON ledger_account TO houfu_verify, houfu_app",
    "ALTER POLICY login_v1 ON auth_user USING (true)",
    "ALTER POLICY login_v1 ON django_session WITH CHECK (EXISTS (SELECT FROM usersessions_usersession))",
    "ALTER TABLE mfa_authenticator NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY login_v1 ON mfa_authenticator",
    "ALTER POLICY platform_v1 ON policies_pack USING (true)",
    "CREATE POLICY open ON risk_backtest USING (true)",
    "ALTER TABLE calendars_year DISABLE ROW LEVEL SECURITY",
    "CREATE TABLE loose (merchant_id bigint PRIMARY KEY)",
    "CREATE UNIQUE INDEX probed ON people_api_key (secret_digest)",
    "ALTER TABLE limits_note DROP CONSTRAINT limits_note_pkey",
    "ALTER TABLE limits_note ADD UNIQUE (id), ADD UNIQUE (merchant_id, id, note)",
    "ALTER TABLE merchants_store ADD CONSTRAINT astray FOREIGN KEY (group_id, merchant_id, channel_account_id)"
    " REFERENCES merchants_group (id, merchant_id, channel_account_id) NOT VALID",
    "CREATE VIEW shown AS SELECT * FROM orders_order",
    "CREATE MATERIALIZED VIEW shown AS SELECT * FROM orders_order",
    DEFINER + "SET search_path = public, pg_temp AS 'BEGIN PERFORM kernel_enter_v1(); RETURN 1; END'",
    DEFINER + "AS 'BEGIN PERFORM kernel_enter_v1(); RETURN 1; END'; ALTER FUNCTION shown() OWNER TO houfu_engine",
    DEFINER
    + "SET search_path = public, pg_temp AS 'BEGIN RETURN 1; END'; ALTER FUNCTION shown() OWNER TO houfu_engine",
    "ALTER ROLE houfu_app BYPASSRLS",
    "ALTER ROLE houfu_engine SUPERUSER",
    "GRANT houfu_engine TO houfu_app",
    "GRANT houfu_engine TO houfu_worker",
    "CREATE POLICY kernel_v1 ON orders_order FOR SELECT TO houfu_engine USING (true)",
    "ALTER POLICY kernel_v1 ON people_access_grant TO houfu_engine, houfu_app",
    "GRANT INSERT ON payouts_attempt TO houfu_app",
    "ALTER TABLE orders_event OWNER TO houfu_app",
    "GRANT CREATE ON SCHEMA public TO houfu_app",
    "GRANT TRUNCATE ON limits_recovery TO houfu_app",
    "GRANT REFERENCES ON orders_order TO houfu_app",
    "GRANT INSERT ON limits_recovery TO houfu_verify",
    "GRANT SELECT (inner_pad) ON kernel_context_key TO houfu_app",
    "GRANT UPDATE ON kernel_context_key TO houfu_engine",
    "GRANT EXECUTE ON FUNCTION kernel_enter_v1 TO houfu_app",
)

# The check, what else cannot but notice, and the statements that break it.
CASES = [
    (
        "i01_entries_of_one_unit", (),
        "UPDATE ledger_entry SET unit = 'CNY.Q' WHERE unit = 'CNY'"
        " AND transfer_id NOT IN (SELECT transfer_id FROM ledger_entry WHERE unit = 'CNY.Q')",
    ),
    ("i01_entries_of_one_unit", (), "DELETE FROM ledger_transfer"),
    (
        "i01_entries_of_one_unit", ("i27_balances_follow_entries",),
        "ALTER TABLE ledger_entry DROP CONSTRAINT ledger_entry_amount;"
        " UPDATE ledger_entry SET amount_fen = 0 WHERE no = 1",
    ),
    (
        "i02_units_add_up", ("i27_balances_follow_entries",),
        BANK + "(1, 'cash:bank', 1, 'CNY', 'debit', false, 5)",
    ),
    (
        "i03_draws_within_caps", (),
        "INSERT INTO limits_dynamic"
        " (merchant_id, pool_id, valid_from, is_on, base_fen, floating_fen, auto_fen, place, set_by)"
        " SELECT merchant_id, id, opened_at - interval '1 hour', true, 0, 5, 0, NULL, 'x' FROM limits_pool",
    ),
    (
        "i03_draws_within_caps", (),
        "INSERT INTO limits_bands OVERRIDING SYSTEM VALUE"
        " SELECT merchant_id, 900 + id, id, 'xx', '{}', 'accepted', 'x', now(), 'x', opened_at - interval '1 hour'"
        " FROM limits_pool; INSERT INTO limits_band"
        " SELECT merchant_id, 900 + id, 'x', '10:00', '09:59', 5 FROM limits_pool",
    ),
    (
        "i03_legs_follow_events", ("i15_steps_are_sealed",),
        "UPDATE orders_event SET own_fen = own_fen + 1 WHERE verb = 'cancelled'",
    ),
    ("i03_lines_held_by_orders", (), "UPDATE buyers_line SET held_fen = held_fen - 1 WHERE held_fen > 0"),
    (
        "i03_lines_held_by_orders", (),
        "UPDATE buyers_hold SET open_fen = open_fen - 1 WHERE open_fen > 0;"
        " UPDATE buyers_line l SET held_fen = (SELECT sum(open_fen) FROM buyers_hold h WHERE h.buyer = l.buyer)",
    ),
    ("i03_lines_held_by_orders", (), "UPDATE buyers_line SET limit_fen = limit_fen + 1"),
    ("i03_loans_lend_what_they_say", (), "UPDATE limits_loan SET amount_fen = amount_fen + 1 WHERE state = 'open'"),
    (
        "i03_pools_hold_their_limit", ("i03_pools_are_their_members",),
        "UPDATE limits_pool SET limit_fen = limit_fen + 1 WHERE state = 'active' AND limit_fen < 50000000",
    ),
    ("i03_pools_are_their_members", (), "UPDATE limits_member SET contributed_fen = contributed_fen + 1"),
    (
        "i03_pools_are_their_members", (),
        "UPDATE limits_member SET state = 'active' WHERE pool_id IN (SELECT id FROM limits_pool WHERE state = 'draft')",
    ),
    ("i03_pools_are_their_members", (), "UPDATE limits_pool SET granted_fen = granted_fen - 1 WHERE granted_fen > 0"),
    (
        "i14_pools_were_signed_for", (),
        "UPDATE limits_pool SET share = 9 WHERE state = 'active' AND limit_fen > 50000000",
    ),
    (
        "i14_pools_were_signed_for", (),
        "UPDATE limits_pool SET document = replace(document, '华东', '华南') WHERE state = 'active'",
    ),
    ("i14_pools_were_signed_for", (), "UPDATE limits_change SET document = replace(document, '3', '4')"),
    ("i22_large_pools_are_filed", (), "UPDATE limits_pool SET filed_at = now() WHERE limit_fen > 50000000"),
    ("i22_large_pools_are_filed", (), "DELETE FROM limits_filing"),
    (
        "i03_sources_held_by_orders", ("i03_legs_follow_events",),
        "UPDATE orders_order SET open_own_fen = open_own_fen + 1 WHERE state = 'authorised' AND pool_fen = 0"
        " AND buyer IS NULL",
    ),
    (
        "i04_splits_are_whole", ("i15_divisions_are_sealed",),
        "UPDATE splits_division SET net_fen = net_fen + 1, kept_fen = kept_fen + 1",
    ),
    ("i04_splits_are_whole", (), "UPDATE splits_part SET returned_fen = 0 WHERE returned_fen > 0"),
    (
        "i04_splits_are_whole", ("i07_books_are_lots_and_payouts",),
        "UPDATE orders_lot SET split_fen = split_fen - 1 WHERE split_fen > 0",
    ),
    (
        "i05_no_account_below_zero", (),
        "ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_floor; "
        + BANK + "(1, 'cash:bank', 1, 'CNY', 'debit', false, -5), (1, 'cash:bank', 2, 'CNY', 'debit', false, 5);"
        " INSERT INTO ledger_transfer"
        " SELECT merchant_id, '00000000-0000-0000-0000-000000000000', unit, verb, at, digest"
        " FROM ledger_transfer WHERE merchant_id = 1 AND unit = 'CNY' LIMIT 1;"
        " INSERT INTO ledger_entry SELECT 1, '00000000-0000-0000-0000-000000000000', 'CNY', 1, max(id), min(id), 5"
        " FROM ledger_account WHERE kind = 'cash:bank'",
    ),
    (
        "i06_lots_give_no_more_than_they_have", (),
        "UPDATE payouts_allocation a SET order_id = (SELECT max(l.id) FROM orders_lot l"
        " WHERE l.merchant_id = a.merchant_id AND l.id <> a.order_id) WHERE (merchant_id, payout_id) ="
        " (SELECT merchant_id, id FROM payouts_payout WHERE state = 'paid' ORDER BY amount_fen LIMIT 1)",
    ),
    ("i06_lots_stand_on_evidence", (), "UPDATE orders_evidence SET counted = false WHERE kind = 'platform'"),
    (
        "i06_lots_stand_on_evidence", (),
        "DELETE FROM orders_evidence WHERE person = (SELECT max(person) FROM orders_evidence WHERE kind = 'manual')",
    ),
    ("i06_lots_stand_on_evidence", (), "UPDATE orders_evidence SET kind = 'carrier' WHERE kind = 'platform'"),
    (
        "i06_paid_lots_were_settled", (),
        "UPDATE orders_lot SET matured_at = settled_at - interval '1 second' WHERE allocated_fen > 0",
    ),
    (
        "i06_paid_lots_were_settled", (),
        "ALTER TABLE orders_lot DROP CONSTRAINT orders_lot_low_trust_needs_statement;"
        " UPDATE orders_evidence e SET kind = 'manual' FROM orders_lot l WHERE l.allocated_fen > 0"
        " AND (e.merchant_id, e.order_id) = (l.merchant_id, l.id);"
        " INSERT INTO orders_evidence SELECT e.merchant_id, order_id, kind, ref, 'another', at, counts_at, counted,"
        " recorded_at FROM orders_evidence e JOIN orders_lot l ON (e.merchant_id, e.order_id) = (l.merchant_id, l.id)"
        " WHERE l.allocated_fen > 0;"
        " UPDATE orders_lot SET trust = 'low', settled_by = 'query' WHERE allocated_fen > 0",
    ),
    (
        "i06_payouts_are_their_lots", ("i14_payouts_were_agreed_to",),
        "UPDATE payouts_payout SET amount_fen = amount_fen + 1 WHERE state = 'failed'",
    ),
    (
        "i07_books_are_lots_and_payouts", (),
        "UPDATE orders_lot SET refunded_fen = refunded_fen + 1 WHERE settled_at IS NULL AND disputed_fen = 0",
    ),
    (
        "i07_books_are_lots_and_payouts", (),
        "UPDATE payouts_payout SET fee_fen = fee_fen + 1 WHERE state = 'paid' AND NOT waived",
    ),
    (
        "i07_conversions_come_home", (),
        "UPDATE limits_conversion SET amount_fen = amount_fen + 10, given_fen = given_fen + 10 WHERE state = 'asked'",
    ),
    (
        "i07_conversions_come_home", (),
        "UPDATE limits_conversion SET haircut_back_fen = haircut_back_fen + 1 WHERE state = 'returning'",
    ),
    ("i07_conversions_come_home", (), "UPDATE limits_true_up SET in_use_fen = in_use_fen + 1"),
    ("i07_conversions_come_home", (), "UPDATE limits_true_up SET month = month - interval '1 month'"),
    ("i07_conversions_come_home", (), "DELETE FROM limits_true_up"),
    (
        "i07_books_are_lots_and_payouts", ("i04_splits_are_whole",),
        "UPDATE splits_return SET state = 'returned' WHERE state = 'failed'",
    ),
    ("i08_one_attempt_each", (), "DELETE FROM payouts_attempt"),
    ("i08_one_attempt_each", (), "DELETE FROM splits_attempt WHERE split_id IS NOT NULL"),
    ("i08_one_attempt_each", (), "DELETE FROM splits_attempt WHERE return_id IS NOT NULL"),
    (
        "i08_one_attempt_each", (),
        "INSERT INTO payouts_attempt SELECT merchant_id, id, 'HF', 'w', now() FROM payouts_payout"
        " WHERE state = 'scheduled'",
    ),
    (
        "i08_one_attempt_each", (),
        "ALTER TABLE payouts_attempt DROP CONSTRAINT payouts_request_no_once;"
        " UPDATE payouts_attempt SET request_no = (SELECT min(request_no) FROM payouts_attempt)",
    ),
    (
        "i10_holds_wait_for_their_cases", (),
        "UPDATE risk_hold SET state = 'released', ended_at = now() WHERE state = 'held'",
    ),
    ("i10_holds_wait_for_their_cases", (), "UPDATE risk_hold SET state = 'held', ended_at = NULL"),
    ("i10_orders_are_where_their_lots_are", (), "UPDATE orders_order SET state = 'settled' WHERE state = 'matured'"),
    ("i10_orders_are_where_their_lots_are", (), "UPDATE orders_order SET state = 'closed' WHERE state = 'matured'"),
    (
        "i10_orders_are_where_their_lots_are", ("i03_sources_held_by_orders",),
        "UPDATE orders_order SET state = 'shipped' WHERE state = 'received'",
    ),
    (
        "i13_channel_cash_is_its_statements", (),
        "UPDATE reconciliation_line SET amount_fen = amount_fen + 1 WHERE kind = 'transfer'",
    ),
    (
        "i13_settlements_have_lines", (),
        "UPDATE reconciliation_line SET fee_fen = fee_fen + 1, amount_fen = amount_fen + 1 WHERE kind = 'settlement'",
    ),
    (
        "i13_settlements_have_lines", (),
        "UPDATE reconciliation_line SET outcome = 'break', code = 'lost' WHERE kind = 'settlement'",
    ),
    ("i14_parties_and_rules_were_agreed_to", (), "UPDATE splits_party SET valid_until = valid_until + 1"),
    ("i14_parties_and_rules_were_agreed_to", (), "UPDATE splits_share SET permille = permille + 1 WHERE permille > 0"),
    ("i14_payouts_were_agreed_to", (), "UPDATE payouts_payout SET chain = '{legal}' WHERE state = 'paid'"),
    ("i14_payouts_were_agreed_to", (), "UPDATE payouts_payout SET hold_class = 'frequency' WHERE state = 'paid'"),
    ("i14_payouts_were_agreed_to", (), "UPDATE payouts_payout SET aggregated_fen = aggregated_fen + 1"),
    (
        "i14_signatures_are_lawful", ("i14_payouts_were_agreed_to",),
        "UPDATE approvals_request SET state = 'void', turn = 1 WHERE turn = 2",
    ),
    ("i14_signatures_are_lawful", (), "DELETE FROM approvals_signature WHERE struck_at IS NULL"),
    (
        "i14_signatures_are_lawful", ("i14_payouts_were_agreed_to",),
        "UPDATE approvals_request SET chain = '{owner,owner}' WHERE state = 'approved' AND turn = 2",
    ),
    ("i14_signatures_are_lawful", (), "UPDATE approvals_signature SET signed_at = signed_at + interval '4 days'"),
    ("i14_signatures_are_lawful", (), "UPDATE approvals_signature SET signed_at = signed_at - interval '1 hour'"),
    (
        "i14_signatures_are_lawful", (),
        "UPDATE approvals_request r SET person = s.person FROM approvals_signature s WHERE s.request_id = r.id",
    ),
    (
        "i14_signatures_are_lawful", (),
        "UPDATE approvals_request r SET editors = s.stands_for FROM approvals_signature s WHERE s.request_id = r.id",
    ),
    (
        "i14_signatures_are_lawful", (),
        "UPDATE approvals_signature SET person = 'person/0', stands_for = stands_for || 'person/0'::text"
        " WHERE role = 'legal'",
    ),
    ("i14_signatures_are_lawful", (), "UPDATE people_passkey SET removed_at = added_at"),
    ("i14_signatures_are_lawful", (), "UPDATE approvals_signature SET credential_id = 'x' WHERE role = 'owner'"),
    ("i14_signatures_are_lawful", (), "UPDATE approvals_delegation SET role = 'finance'"),
    ("i14_signatures_are_lawful", (), "UPDATE approvals_delegation SET ended_at = starts_at, next_look_at = NULL"),
    ("i14_signatures_are_lawful", (), "UPDATE approvals_delegation SET person = 'person/0'"),
    (
        "i15_decisions_are_sealed", (),
        "UPDATE orders_order SET buyer = 'somebody' WHERE (merchant_id, id) ="
        " (SELECT merchant_id, id FROM orders_order ORDER BY 1, 2 LIMIT 1)",
    ),
    ("i15_decisions_are_sealed", (), "UPDATE orders_order SET batch = gen_random_uuid() WHERE state = 'declined'"),
    ("i15_divisions_are_sealed", (), "UPDATE splits_division SET kept_for = '{store_in_deficit}'"),
    ("i15_history_is_unbroken", (), "UPDATE history_link SET actor = 'nobody' WHERE seq = 2"),
    ("i15_history_is_unbroken", (), "UPDATE history_link SET at = at + interval '1 microsecond' WHERE seq = 1"),
    ("i15_history_is_unbroken", (), "DELETE FROM history_link WHERE seq = 2"),
    (
        "i15_history_is_unbroken", (),
        "DELETE FROM history_link l"
        " WHERE seq = (SELECT max(seq) FROM history_link m WHERE m.merchant_id = l.merchant_id)"
        " AND verb NOT LIKE 'orders.%'",
    ),
    ("i15_history_is_unbroken", (), "DELETE FROM history_head WHERE merchant_id = 1"),
    ("i15_steps_are_sealed", (), "UPDATE orders_event SET note = 'altered' WHERE verb = 'shipped'"),
    ("i15_steps_are_sealed", (), "UPDATE orders_event SET at = at + interval '1 microsecond' WHERE verb = 'received'"),
    (
        "i16_orders_are_of_their_stores", ("i15_decisions_are_sealed",),
        "UPDATE orders_order SET store_id = 10^9 WHERE state = 'declined'",
    ),
    ("i16_merchants_are_kept_apart", (), "ALTER TABLE orders_order DISABLE ROW LEVEL SECURITY"),
    ("i18_business_days", (), "UPDATE payouts_payout SET business_day = business_day + 1 WHERE state = 'failed'"),
    ("i18_scores_are_their_events", (), "UPDATE risk_score SET points = points + 1"),
    (
        "i18_scores_are_their_events", (),
        "UPDATE risk_score_event SET points = points + 1 WHERE counters_id IS NOT NULL;"
        " UPDATE risk_score SET points = points + 1",
    ),
    ("i19_runs_on_workdays", (), "UPDATE payouts_run SET run_day = '2025-11-15'"),
    ("i19_runs_on_workdays", (), "UPDATE payouts_run SET run_day = '2025-10-01'"),
    ("i20_adjustments_were_accepted", (), "UPDATE limits_dynamic SET auto_fen = 49"),
    ("i20_adjustments_were_accepted", (), "UPDATE limits_adjustment SET decided_by = NULL"),
    (
        "i20_adjustments_were_accepted", (),
        "UPDATE limits_adjustment SET data_until = data_until + interval '1 second'",
    ),
    (
        "i20_risk_outcomes_follow_rules", (),
        "UPDATE risk_decision SET outcome = 'allow', reason_class = '' WHERE outcome = 'hold'",
    ),
    (
        "i20_risk_outcomes_follow_rules", (),
        "UPDATE risk_decision SET applied = replace(applied, '\"active\"', '\"shadow\"') WHERE outcome = 'score'",
    ),
    ("i21_scarce_counts", (), "UPDATE payouts_waiver SET claimed = claimed + 1"),
    ("i21_scarce_counts", (), "UPDATE risk_appeal SET no = no + 1"),
    ("i21_scarce_counts", (), "UPDATE merchants_group SET size = size - 1"),
    (
        "i23_endpoints_are_told", (),
        "UPDATE webhooks_endpoint SET cursor = cursor + 1000000",
    ),
    ("i23_endpoints_are_told", (), "UPDATE webhooks_delivery SET seq = seq + 1000000 WHERE state = 'given_up'"),
    (
        "i23_endpoints_are_told", (),
        "DELETE FROM webhooks_delivery d USING history_link l WHERE (l.merchant_id, l.seq) = (d.merchant_id, d.seq)"
        " AND l.verb = 'endpoint.tested'; DELETE FROM webhooks_attempt a WHERE NOT EXISTS (SELECT"
        " FROM webhooks_delivery d WHERE (d.merchant_id, d.id) = (a.merchant_id, a.delivery_id))",
    ),
    (
        "i23_no_delivery_is_stuck", (),
        "UPDATE webhooks_delivery SET state = 'pending', next_at = '2025-10-01', ended_at = NULL"
        " WHERE state = 'given_up'; UPDATE webhooks_endpoint SET tried_at = '2025-10-01'",
    ),
    (
        "i23_no_delivery_is_stuck", (),
        "UPDATE webhooks_endpoint SET told_from = 0, cursor = 0; DELETE FROM webhooks_attempt;"
        " DELETE FROM webhooks_delivery; UPDATE history_head SET seq = seq",
    ),
    (
        "i23_no_delivery_is_stuck", (),
        "UPDATE webhooks_delivery SET state = 'pending', since = '2025-11-01', next_at = '2025-12-01', ended_at = NULL"
        " WHERE state = 'given_up'",
    ),
    ("i23_no_delivery_is_stuck", (), "DELETE FROM webhooks_attempt WHERE outcome = 'not_accepted'"),
    ("i23_no_delivery_is_stuck", (), "UPDATE webhooks_delivery SET state = 'delivered' WHERE state = 'given_up'"),
    (
        "i27_balances_follow_entries", (),
        "UPDATE ledger_account SET balance_fen = balance_fen + CASE kind WHEN 'q:own:free' THEN 5 ELSE -5 END"
        " WHERE merchant_id = 1 AND kind IN ('q:own:free', 'q:grant:operator')",
    ),
]  # fmt: skip


def _limits_of_every_kind():
    """A merchant whose open orders stand on every source there is, with orders of many ends."""
    shop = open_shop(stores=2, own_limit_fen=100_000)
    pool(shop, share=1, grant_fen=50_000)
    limits.lend(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, amount_fen=20_000)
    limits.note_tolerance(by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, note="双十一备货")
    shop.place(20_000, 30_000, 20_000, 20_000, 60_000, 40_000, 999_999)
    _follow_the_weather(shop)
    early, gone, handed, disputed, *_ = shop.placed
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(gone))
    shop.receive(early, disputed)
    orders.ship(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(handed))
    for person in (shop.owner, shop.assistant):
        orders.receive(by=person, merchant_id=shop.merchant_id, steps=shop.steps(handed, evidence="manual"))
    orders.dispute(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps(disputed, ref="C1"))


def _lines_of_buyers():
    """A buyer who owes more than a lower score gives them, another whose order has ended."""
    shop = open_shop()
    merchants.set_sharing(by=OPERATOR, merchant_id=shop.merchant_id, id=shop.store, sharing=True)
    for points, at in ((600, MONDAY_TEN - timedelta(days=2)), (550, MONDAY_TEN - timedelta(days=1))):
        for buyer in ("b1", "b2"):
            buyers.score(by=OPERATOR, channel="simulator", buyer=buyer, score=points, scored_at=at)
        wanted = [
            orders.NewOrder(shop.merchant_id, f"{buyer}-{points}", shop.store, 90_000, clock.now(), buyer)
            for buyer in ("b1", "b2")
        ]
        shop.placed = [order.id for order in wanted]
        orders.authorise(by=shop.owner, orders=wanted)
    orders.cancel(by=shop.owner, merchant_id=shop.merchant_id, steps=shop.steps("b2-600"))


def _conversions_of_every_kind():
    """Two platforms that recognise each other; of one conversion a part is in use after its month, one is asked for."""
    with standing_at(SteppedClock(shanghai(2025, 10, 20, 10))) as hands:
        both = open_platforms()
        both.convert(100_000)
        both.shop.place(30_000, store=both.taking)
        hands.move(days=20)
        both.tend()
    both.ask(1_000)


def _follow_the_weather(shop):
    """Let the pool of a shop follow the weather; of rain it is told, and accepts it by rule."""
    key = {"merchant_id": shop.merchant_id, "pool_id": limit_queries.pools(shop.owner, shop.merchant_id)[0].id}
    now = clock.now()
    limits.set_dynamic(by=shop.owner, **key, base_fen=10**9, auto_fen=50)
    limits.propose(
        by=WORKER, **key, kind="weather", amount_fen=50, valid_from=now, valid_until=now + timedelta(days=1),
        reason="rain", source={"observed_at": now.isoformat()},
    )  # fmt: skip


def _pools_of_every_kind():
    """A merchant with a pool that is large and was changed by signature, and one that is a draft."""
    shop = open_shop(stores=2)
    m, by = shop.merchant_id, shop.assistant
    large, drafted = (
        merchants.form_group(
            by=shop.owner, merchant_id=m, name="华东", channel_account_id=shop.account_id, store_ids=[store_id]
        ).id
        for store_id in shop.stores
    )
    running = signed_pool(shop, large, shop.stores[:1], share=2, grant_fen=50_000_001, contribution_fen=1)
    change = limits.propose_share(by=by, merchant_id=m, pool_id=running, share=3, reason="旺季备货")
    shop.agree(f"limit_change/{change.id}")
    limits.follow_change(by=WORKER, merchant_id=m, id=change.id)
    share_on(shop)
    draft = limits.open_pool(by=by, merchant_id=m, group_id=drafted, share=2).id
    limits.join_pool(by=by, merchant_id=m, pool_id=draft, store_id=shop.stores[1])


def _splits_of_every_end():
    """A merchant whose supplier and carrier got, were denied, gave back and kept parts of orders."""
    chain = Chain()
    mill, road = chain.party(), chain.party("carrier")
    chain.rule(Wanted(mill.id, permille=600), Wanted(road.id, fixed_fen=1_500))
    kept, denied, back, _ = (chain.sell(100_000) for _ in range(4))
    chain.send(kept, Verdict.PAID, Verdict.PAID)
    chain.send(denied, Verdict.PAID, Verdict.DENIED)
    chain.send(back, Verdict.PAID, Verdict.PAID)
    for order_id, verdict in ((back, Verdict.PAID), (kept, Verdict.DENIED)):
        chain.refund(order_id, 10_000)
        for each in chain.recall(order_id):
            chain.come_back(each, verdict)


def _money_of_every_end(channel):
    """A merchant whose orders went all the way through the channel, with payouts of many ends and all their lines."""
    shop = open_shop(own_limit_fen=30_000_000)
    shop.payee()
    shop.place(6_000_000, 6_000_000, 6_000_000)
    shop.receive()
    worker.tell_channels()
    for _ in range(2):  # settled on Tuesday, in the statement of Wednesday
        channel.move(days=1)
        channel.work()
        worker.take_statements()
    worker.tend_orders()
    channel.script(transfers=["ok", "ok", "denied"])
    waived, *asked = [shop.ask(fen) for fen in (5_000_000, 100_000, 30_000)]
    assert (waived.waived, asked[0].waived) == (True, False)
    tasks.work_off("worker")
    payouts.stand(
        by=shop.owner, merchant_id=shop.merchant_id, store_id=shop.store, beneficiary_id=shop.beneficiary_id,
        purpose="goods_settlement",
    )  # fmt: skip
    channel.hands.set(shanghai(2025, 11, 14, 10))
    channel.work()
    worker.take_statements()
    [run] = payouts.run(by=WORKER, run_day=clock.business_day(clock.now()), stores=[(shop.merchant_id, shop.store)])
    payouts.cancel(by=shop.owner, merchant_id=shop.merchant_id, id=run.id)
    shop.ask(10_000)


def _signatures_of_every_kind():
    """A merchant whose people have signed by their own right and by a lent one, and one of whom lost the role."""
    company = open_company()
    approved, struck = company.ask("owner", "legal"), company.ask("supervisor", "legal")
    ends_at = clock.now() + timedelta(days=1)
    approvals.delegate(by=company.zhou, merchant_id=company.m, delegate_staff_id=company.qian.staff_id, ends_at=ends_at)
    company.sign("qian", approved)
    company.sign("sun", approved)
    company.sign("zhao", struck)
    company.change("zhao", "auditor")
    with standing_at(SteppedClock(clock.now() + timedelta(minutes=5))):
        assert approvals.lapse(by=WORKER)


def _risk_of_every_kind(hands):
    """A merchant with payouts held and let go, a frozen store, lost points and an appeal that gave them back."""
    shop = open_shop(stores=2, own_limit_fen=1_000)
    pool(shop, share=9, grant_fen=1_000_000)
    shop.place(1_000, 500)
    for n in range(7):
        facts = risk.PayoutFacts(store_id=shop.store, beneficiary_id=1, amount_fen=100, device="D")
        risk.judge(by=shop.owner, merchant_id=shop.merchant_id, subject=f"payout/{n}", facts=facts)
    hands.set(shanghai(2025, 12, 1))
    risk.look(by=WORKER, merchant_id=shop.merchant_id)
    where = {"by": operator("li"), "merchant_id": shop.merchant_id}
    [let_go, _] = risk_queries.inbox(operator("li"), shop.merchant_id)
    frozen = risk.open_case(**where, subject=f"store/{shop.store}", reason_class="sharing")
    for case, outcome in ((let_go, "clear"), (frozen, "freeze")):
        risk.investigate(**where, id=case.id)
        risk.decide(**where, id=case.id, outcome=outcome, note="looked at it")
    [lost] = risk_queries.score(operator("li"), shop.merchant_id).events
    appeal = risk.appeal(by=shop.owner, merchant_id=shop.merchant_id, score_event_id=lost.id, grounds="one season")
    risk.take_up(**where, id=appeal.id)
    risk.overturn(**where, id=appeal.id, note="one season indeed")


def _told_of_every_end():
    """A merchant with an endpoint that takes one thing and never another."""
    shop = open_shop(own_limit_fen=0)
    who = {"by": shop.owner, "merchant_id": shop.merchant_id}
    endpoint, _ = webhooks.add(**who, url="https://hooks.example.com/", verbs=["endpoint.changed"])
    webhooks.change(**who, id=endpoint.id, url="https://other.example.com/")
    webhooks.test(**who, id=endpoint.id)
    webhooks.follow()
    first, second = webhook_queries.deliveries(shop.owner, shop.merchant_id, endpoint_id=endpoint.id)
    no = webhooks.Ended(shop.merchant_id, second.id, Answer("not_accepted", 500, 1))
    webhooks.conclude(by=WORKER, ended=[no, webhooks.Ended(shop.merchant_id, first.id, Answer("delivered", 204, 1))])
    clock._clock.set(clock.now() + timedelta(days=3))
    webhooks.conclude(by=WORKER, ended=[no])
    webhooks.follow()


@pytest.fixture(scope="module")
def whole(simulator):
    """The name of a database in which everything that can be checked has happened, and all of it holds."""
    with own_database(), standing_at(simulator.hands):
        simulator.hands.set(MONDAY_TEN)
        simulator.reset()
        _money_of_every_end(simulator)
        _limits_of_every_kind()
        _lines_of_buyers()
        _conversions_of_every_kind()
        _pools_of_every_kind()
        _splits_of_every_end()
        _signatures_of_every_kind()
        _risk_of_every_kind(simulator.hands)
        _told_of_every_end()
        yield connection.settings_dict["NAME"]


@pytest.fixture
def superuser(whole):
    """Whoever can do what no role of the product can: write past triggers and foreign keys. Nothing of it stays."""
    admin = os.environ["HOUFU_TEST_ADMIN"].rsplit("/", 1)[0] + "/" + whole
    with psycopg.connect(admin) as connected:
        connected.execute("SET session_replication_role = replica")
        yield connected
        connected.rollback()


@pytest.fixture
def world(whole):
    """A copy of it, to be broken."""
    with own_database(whole) as url:
        yield url


def break_(superuser, statements):
    for statement in statements.split(";"):
        changed = superuser.execute(statement)
        assert changed.rowcount, f"nothing to break: {statement}"


def test_a_world_that_is_whole_has_no_findings(whole):
    report = queries.run()
    assert (report.findings, report.checks) == ([], len(list(queries.CHECKS.glob("*.sql"))))


def test_an_empty_platform_has_no_findings(fresh_db):
    assert queries.run().findings == []


@pytest.mark.parametrize(("check", "also", "statements"), CASES)
def test_a_check_finds_what_it_is_for(superuser, check, also, statements):
    break_(superuser, statements)
    found = {finding.check: finding for finding in queries.findings(superuser.cursor())}
    assert set(found) == {check, *also}
    assert found[check].invariant == f"I-{check[1:3]}"
    assert found[check].count >= len(found[check].rows) > 0
    assert [finding.check for finding in queries.findings(superuser.cursor(), check)] == [check]


@pytest.mark.parametrize("statement", WAYS_ROUND)
def test_every_way_round_the_policies_is_found(superuser, statement):
    superuser.execute(statement)
    assert [finding.check for finding in queries.findings(superuser.cursor(), "i16_merchants")] != []


def test_every_check_has_a_case():
    assert {check for check, _, _ in CASES} == {path.stem for path in queries.CHECKS.glob("*.sql")}


@pytest.mark.parametrize("path", sorted(queries.CHECKS.glob("*.sql")), ids=lambda path: path.stem)
def test_every_check_says_which_invariant_it_proves(path):
    first = path.read_text().splitlines()[0]
    assert first.startswith(f"-- I-{path.stem[1:3]}: ")


def test_many_broken_rows_are_counted_and_the_first_shown(superuser):
    break_(superuser, "UPDATE history_link SET actor = 'nobody'")
    [finding] = queries.findings(superuser.cursor(), "i15_history")
    assert (len(finding.rows), finding.count > queries.SHOWN) == (queries.SHOWN, True)


# The command ---------------------------------------------------------------------------------------------------------


def houfu(url, *arguments):
    """Run `houfu` on a database and return its exit code and what it printed."""
    environment = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", "houfu", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_command_ends_with_one_where_something_is_broken_and_says_what(world):
    assert houfu(world, "verify", "--json")[0] == 0
    with psycopg.connect(world) as owner:
        owner.execute("UPDATE payouts_waiver SET claimed = claimed + 1")
    code, printed = houfu(world, "verify", "--json")
    report = json.loads(printed)
    assert (code, [finding["check"] for finding in report["findings"]]) == (1, ["i21_scarce_counts"])
    assert report["findings"][0]["rows"] == [{"merchant_id": 0, "what": "waivers", "counted": 2, "there": 1}]
    code, printed = houfu(world, "verify")
    assert code == 1
    assert "✗ I-21 i21_scarce_counts: fee waivers" in printed
    assert "1 findings" in printed
    assert houfu(world, "verify", "--only", "i06", "--json")[0] == 0
