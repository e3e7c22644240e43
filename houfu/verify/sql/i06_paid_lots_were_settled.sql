-- I-06: money that left was settled by the channel and had matured; a receipt of low trust by a statement's line.
SELECT l.merchant_id, l.id AS order_id, l.settled_by, l.settled_at, l.matured_at
FROM orders_lot l
WHERE l.allocated_fen > 0
  AND (l.matured_at IS NULL OR l.settled_at IS NULL OR l.matured_at < l.settled_at
       OR (l.trust = 'low' AND l.settled_by <> 'statement'))
