-- I-03: each source of a store is held and drawn by exactly what its open orders stand on.
WITH stands AS (
    SELECT o.merchant_id, o.store_id, s.source, s.fen, CASE
               WHEN coalesce(o.state_before_dispute, o.state) IN ('authorised', 'shipped') THEN 'held' ELSE 'drawn'
           END AS phase
    FROM orders_order o
    CROSS JOIN LATERAL (VALUES ('own', o.open_own_fen), ('pool', o.open_pool_fen), ('temp', o.open_temp_fen),
                               ('tolerance', o.open_tolerance_fen)) AS s (source, fen)
    WHERE s.fen <> 0
), wanted AS (
    SELECT merchant_id, store_id AS owner, 'q:' || source || ':' || phase AS kind, sum(fen) AS fen FROM stands GROUP BY 1, 2, 3
), booked AS (
    SELECT merchant_id, owner, kind, balance_fen AS fen FROM ledger_account WHERE kind LIKE 'q:%:held' OR kind LIKE 'q:%:drawn'
)
SELECT merchant_id, owner AS store_id, kind, coalesce(b.fen, 0) AS booked_fen, coalesce(w.fen, 0) AS orders_fen
FROM booked b FULL JOIN wanted w USING (merchant_id, owner, kind)
WHERE coalesce(b.fen, 0) <> coalesce(w.fen, 0)
