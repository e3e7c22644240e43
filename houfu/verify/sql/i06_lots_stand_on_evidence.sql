-- I-06: every lot stands on evidence of its trust that has counted; a manual one on two persons' (O2).
SELECT l.merchant_id, l.id AS order_id, l.trust, e.kinds, e.people
FROM orders_lot l
LEFT JOIN (SELECT merchant_id, order_id, array_agg(DISTINCT kind ORDER BY kind) FILTER (WHERE counted) AS kinds,
                  count(DISTINCT person) FILTER (WHERE kind = 'manual') AS people
           FROM orders_evidence GROUP BY 1, 2) e ON (e.merchant_id, e.order_id) = (l.merchant_id, l.id)
WHERE e.kinds IS NULL
   OR NOT e.kinds @> ARRAY[CASE l.trust WHEN 'high' THEN 'platform' WHEN 'medium' THEN 'carrier' ELSE 'manual' END]
   OR (l.trust = 'low' AND e.people < 2)
