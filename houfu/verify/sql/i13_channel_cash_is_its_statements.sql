-- I-13: where every movement of an account at a channel has its line, its balance is the sum of the lines that agree.
SELECT a.merchant_id, a.id AS channel_account_id, coalesce(b.fen, 0) AS booked_fen, coalesce(x.fen, 0) AS lines_fen
FROM merchants_channel_account a
LEFT JOIN (SELECT merchant_id, owner, sum(balance_fen) AS fen FROM ledger_account
           WHERE kind IN ('cash:channel', 'cash:transit') GROUP BY 1, 2) b ON (b.merchant_id, b.owner) = (a.merchant_id, a.id)
LEFT JOIN (SELECT merchant_id, channel_account_id, sum(CASE kind
                      WHEN 'settlement' THEN amount_fen - fee_fen WHEN 'return' THEN amount_fen ELSE -amount_fen END) AS fen
           FROM reconciliation_line WHERE outcome <> 'break' GROUP BY 1, 2) x
     ON (x.merchant_id, x.channel_account_id) = (a.merchant_id, a.id)
WHERE NOT EXISTS (SELECT FROM payouts_payout p WHERE (p.merchant_id, p.channel_account_id) = (a.merchant_id, a.id)
                  AND p.state IN ('submitting', 'submitted', 'unknown'))
  AND NOT EXISTS (SELECT FROM orders_lot l WHERE (l.merchant_id, l.channel_account_id) = (a.merchant_id, a.id)
                  AND l.settled_at IS NOT NULL AND NOT EXISTS (
                      SELECT FROM reconciliation_line y WHERE y.outcome <> 'break'
                      AND (y.merchant_id, y.ref, y.kind) = (l.merchant_id, l.id, 'settlement')))
  AND NOT EXISTS (SELECT FROM payouts_payout p JOIN payouts_attempt t ON (t.merchant_id, t.payout_id) = (p.merchant_id, p.id)
                  CROSS JOIN LATERAL (VALUES ('transfer', true), ('transfer_fee', p.fee_fen > 0),
                                             ('return', p.state = 'returned')) AS k (kind, wanted)
                  WHERE (p.merchant_id, p.channel_account_id) = (a.merchant_id, a.id) AND p.state IN ('paid', 'returned')
                  AND k.wanted AND NOT EXISTS (
                      SELECT FROM reconciliation_line y WHERE y.outcome <> 'break'
                      AND (y.merchant_id, y.ref, y.kind) = (p.merchant_id, t.request_no, k.kind)))
  AND NOT EXISTS (SELECT FROM orders_event e JOIN orders_lot l ON (l.merchant_id, l.id) = (e.merchant_id, e.order_id)
                  WHERE (l.merchant_id, l.channel_account_id) = (a.merchant_id, a.id) AND e.verb = 'refunded'
                  AND e.at >= l.settled_at AND NOT EXISTS (
                      SELECT FROM reconciliation_line y WHERE y.outcome <> 'break'
                      AND (y.merchant_id, y.ref, y.kind) = (e.merchant_id, e.order_id || '/' || e.ref, 'refund')))
  AND coalesce(b.fen, 0) <> coalesce(x.fen, 0)
