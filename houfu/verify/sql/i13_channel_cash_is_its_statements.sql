-- I-13: where every movement of an account at a channel has its line, its balance is the sum of the lines that agree.
SELECT a.merchant_id, a.id AS channel_account_id, coalesce(b.fen, 0) AS booked_fen, coalesce(x.fen, 0) AS lines_fen
FROM merchants_channel_account a
LEFT JOIN (SELECT merchant_id, owner, sum(balance_fen) AS fen FROM ledger_account
           WHERE kind IN ('cash:channel', 'cash:transit') GROUP BY 1, 2) b ON (b.merchant_id, b.owner) = (a.merchant_id, a.id)
LEFT JOIN (SELECT merchant_id, channel_account_id, sum(CASE kind
                      WHEN 'settlement' THEN amount_fen - fee_fen WHEN 'return' THEN amount_fen
                      WHEN 'split_return' THEN amount_fen ELSE -amount_fen END) AS fen
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
  AND NOT EXISTS (SELECT FROM splits_split s WHERE (s.merchant_id, s.channel_account_id) = (a.merchant_id, a.id)
                  AND s.state IN ('submitting', 'submitted', 'unknown'))
  AND NOT EXISTS (SELECT FROM splits_split s JOIN splits_attempt t ON (t.merchant_id, t.split_id) = (s.merchant_id, s.id)
                  JOIN (SELECT q.*, row_number() OVER (PARTITION BY q.merchant_id, q.split_id ORDER BY q.place) AS nth
                        FROM splits_part q WHERE q.sent_fen IS NOT NULL) p
                       ON (p.merchant_id, p.split_id) = (s.merchant_id, s.id)
                  WHERE (s.merchant_id, s.channel_account_id) = (a.merchant_id, a.id) AND p.state = 'paid'
                  AND NOT EXISTS (
                      SELECT FROM reconciliation_line y WHERE y.outcome <> 'break'
                      AND (y.merchant_id, y.ref, y.kind) = (s.merchant_id, t.request_no || '/' || p.nth, 'split')))
  AND NOT EXISTS (SELECT FROM splits_return r JOIN splits_split s ON (s.merchant_id, s.id) = (r.merchant_id, r.split_id)
                  LEFT JOIN splits_attempt t ON (t.merchant_id, t.return_id) = (r.merchant_id, r.id)
                  WHERE (s.merchant_id, s.channel_account_id) = (a.merchant_id, a.id)
                  AND (r.state IN ('submitting', 'submitted', 'unknown')
                       OR (r.state = 'returned' AND NOT EXISTS (
                           SELECT FROM reconciliation_line y WHERE y.outcome <> 'break'
                           AND (y.merchant_id, y.ref, y.kind) = (r.merchant_id, t.request_no, 'split_return')))))
  AND coalesce(b.fen, 0) <> coalesce(x.fen, 0)
