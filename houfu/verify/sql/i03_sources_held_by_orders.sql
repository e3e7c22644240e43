-- I-03: each source of a store is held and drawn by exactly what its open orders stand on.
WITH stands AS (
    SELECT merchant_id, store_id, CASE
               WHEN coalesce(state_before_dispute, state) IN ('authorised', 'shipped') THEN 'held' ELSE 'drawn'
           END AS phase,
           sum(open_own_fen) AS own_fen, sum(open_pool_fen) AS pool_fen, sum(open_temp_fen) AS temp_fen,
           sum(open_tolerance_fen) AS tolerance_fen
    FROM orders_order GROUP BY 1, 2, 3
), wanted AS (
    SELECT o.merchant_id, o.store_id AS owner, 'q:' || s.source || ':' || o.phase AS kind, s.fen
    FROM stands o
    CROSS JOIN LATERAL (VALUES ('own', o.own_fen), ('pool', o.pool_fen), ('temp', o.temp_fen),
                               ('tolerance', o.tolerance_fen)) AS s (source, fen)
    WHERE s.fen <> 0
), booked AS (
    SELECT merchant_id, owner, kind, balance_fen AS fen FROM ledger_account WHERE kind LIKE 'q:%:held' OR kind LIKE 'q:%:drawn'
)
SELECT merchant_id, owner AS store_id, kind, coalesce(b.fen, 0) AS booked_fen, coalesce(w.fen, 0) AS orders_fen
FROM booked b FULL JOIN wanted w USING (merchant_id, owner, kind)
WHERE coalesce(b.fen, 0) <> coalesce(w.fen, 0)
