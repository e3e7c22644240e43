-- I-13: what was settled stands in the statement of its day, once that day is closed: a line with the same amounts, or
-- a break that somebody is to look at.
SELECT l.merchant_id, l.id AS order_id, l.settled_at, x.amount_fen, x.fee_fen
FROM orders_lot l
JOIN reconciliation_statement s ON (s.merchant_id, s.channel_account_id) = (l.merchant_id, l.channel_account_id)
     AND s.day = (l.settled_at AT TIME ZONE 'Asia/Shanghai')::date AND s.final
LEFT JOIN reconciliation_line x ON (x.merchant_id, x.ref, x.kind) = (l.merchant_id, l.id, 'settlement')
LEFT JOIN orders_event e ON (e.merchant_id, e.order_id, e.verb) = (l.merchant_id, l.id, 'settled')
WHERE x.no IS NULL OR (x.outcome <> 'break' AND (x.fee_fen <> l.fee_fen OR x.amount_fen <> e.fen))
UNION ALL
SELECT l.merchant_id, l.id, l.settled_at, NULL, NULL FROM orders_lot l
WHERE l.settled_by = 'statement'
  AND NOT EXISTS (SELECT FROM reconciliation_line x
                  WHERE (x.merchant_id, x.ref, x.kind) = (l.merchant_id, l.id, 'settlement') AND x.outcome <> 'break')
