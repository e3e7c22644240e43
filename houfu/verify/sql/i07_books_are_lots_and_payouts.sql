-- I-07: every claim, debt and clearing account is what the lots, payouts and splits under it say, to the fen.
WITH lots AS (
    SELECT l.merchant_id, v.kind, l.store_id AS owner, v.fen
    FROM orders_lot l
    CROSS JOIN LATERAL (VALUES
        ('ar:buyer', CASE WHEN l.settled_at IS NULL THEN l.gross_fen - l.refunded_fen - l.lost_fen ELSE 0 END),
        ('claim:pending', CASE WHEN l.settled_at IS NULL THEN l.gross_fen - l.refunded_fen - l.lost_fen ELSE 0 END),
        ('claim:settled', CASE WHEN l.settled_at IS NOT NULL AND l.matured_at IS NULL THEN l.left_fen ELSE 0 END),
        ('claim:matured', CASE WHEN l.matured_at IS NOT NULL THEN l.left_fen ELSE 0 END),
        ('claim:disputed', l.disputed_fen),
        ('deficit', l.deficit_fen - l.offset_fen),
        ('fee:recovered', l.fee_fen)) AS v (kind, fen)
), payouts AS (
    SELECT p.merchant_id, v.kind, v.owner, v.fen
    FROM payouts_payout p
    CROSS JOIN LATERAL (VALUES
        ('claim:reserved', p.store_id,
         CASE WHEN p.final_at IS NULL THEN p.amount_fen ELSE 0 END),
        ('cash:transit', p.channel_account_id,
         CASE WHEN p.state IN ('submitting', 'submitted', 'unknown') THEN p.amount_fen - p.fee_fen ELSE 0 END),
        ('fee:expense:payout', p.channel_account_id,
         CASE WHEN p.state IN ('submitting', 'submitted', 'unknown', 'paid') THEN p.fee_fen ELSE 0 END),
        ('fee:recovered', p.store_id, CASE p.state WHEN 'paid' THEN p.fee_fen ELSE 0 END)) AS v (kind, owner, fen)
), parts AS (
    SELECT q.merchant_id, v.kind, v.owner, v.fen
    FROM splits_part q JOIN splits_split s ON (s.merchant_id, s.id) = (q.merchant_id, q.split_id)
    CROSS JOIN LATERAL (VALUES
        ('cash:transit', s.channel_account_id, q.sent_fen), ('payable:party', q.party_id, q.amount_fen - q.off_fen)
    ) AS v (kind, owner, fen)
    WHERE q.state = 'owed'
), recalled AS (
    SELECT e.merchant_id, 'recall' AS kind, l.store_id AS owner, e.recalled_fen AS fen
    FROM orders_event e JOIN orders_lot l ON (l.merchant_id, l.id) = (e.merchant_id, e.order_id) WHERE e.recalled_fen > 0
    UNION ALL
    SELECT r.merchant_id, v.kind, s.store_id, v.fen
    FROM splits_return r JOIN splits_split s ON (s.merchant_id, s.id) = (r.merchant_id, r.split_id)
    CROSS JOIN LATERAL (VALUES
        ('recall', CASE WHEN r.final_at IS NOT NULL THEN -r.amount_fen ELSE 0 END),
        ('deficit', CASE r.state WHEN 'failed' THEN r.amount_fen ELSE 0 END)) AS v (kind, fen)
), channels AS (
    SELECT merchant_id, 'fee:expense:channel' AS kind, channel_account_id AS owner, fee_fen AS fen FROM orders_lot
), wanted AS (
    SELECT merchant_id, kind, owner, sum(fen) AS fen
    FROM (SELECT * FROM lots UNION ALL SELECT * FROM payouts UNION ALL SELECT * FROM parts
          UNION ALL SELECT * FROM recalled UNION ALL SELECT * FROM channels) x GROUP BY 1, 2, 3
)
SELECT merchant_id, kind, owner, coalesce(b.balance_fen, 0) AS booked_fen, coalesce(w.fen, 0) AS rows_fen
FROM (SELECT * FROM ledger_account
      WHERE kind IN ('ar:buyer', 'claim:pending', 'claim:settled', 'claim:matured', 'claim:disputed', 'claim:reserved',
                     'deficit', 'payable:party', 'recall', 'fee:recovered', 'fee:expense:channel', 'fee:expense:payout', 'cash:transit')) b
FULL JOIN wanted w USING (merchant_id, kind, owner)
WHERE coalesce(b.balance_fen, 0) <> coalesce(w.fen, 0)
