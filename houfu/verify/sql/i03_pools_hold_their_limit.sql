-- I-03: what a pool was filled with is free, held or drawn by orders, or lost; nothing else.
SELECT p.merchant_id, p.id AS pool_id, p.limit_fen, coalesce(f.fen, 0) AS free_fen, coalesce(o.fen, 0) AS open_fen,
       coalesce(l.fen, 0) AS lost_fen
FROM limits_pool p
LEFT JOIN (SELECT merchant_id, owner, balance_fen AS fen FROM ledger_account WHERE kind = 'q:pool:free') f
     ON (f.merchant_id, f.owner) = (p.merchant_id, p.id)
LEFT JOIN (SELECT merchant_id, owner, balance_fen AS fen FROM ledger_account WHERE kind = 'q:lost:pool') l
     ON (l.merchant_id, l.owner) = (p.merchant_id, p.id)
LEFT JOIN (SELECT merchant_id, pool_id, sum(open_pool_fen) AS fen FROM orders_order GROUP BY 1, 2) o
     ON (o.merchant_id, o.pool_id) = (p.merchant_id, p.id)
WHERE p.limit_fen <> coalesce(f.fen, 0) + coalesce(o.fen, 0) + coalesce(l.fen, 0)
