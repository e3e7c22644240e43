-- I-03: of a buyer's line exactly that is held which open orders stand on that hold it, and the line is that of the latest score.
SELECT 'line' AS what, encode(buyer, 'hex') AS buyer, l.held_fen, coalesce(h.fen, 0) AS there_fen
FROM buyers_line l
FULL JOIN (SELECT buyer, sum(open_fen) AS fen FROM buyers_hold GROUP BY 1) h USING (buyer)
WHERE l.held_fen IS DISTINCT FROM coalesce(h.fen, 0)
UNION ALL
SELECT 'order ' || h.of_merchant || '/' || h.order_id, encode(h.buyer, 'hex'), h.open_fen,
       coalesce(o.open_own_fen + o.open_pool_fen + o.open_temp_fen + o.open_tolerance_fen, 0)
FROM buyers_hold h
LEFT JOIN orders_order o ON (o.merchant_id, o.id) = (h.of_merchant, h.order_id)
WHERE h.known AND h.open_fen <> coalesce(o.open_own_fen + o.open_pool_fen + o.open_temp_fen + o.open_tolerance_fen, 0)
UNION ALL
SELECT 'score', encode(l.buyer, 'hex'), l.limit_fen, s.limit_fen
FROM buyers_line l
LEFT JOIN LATERAL (SELECT x.score, x.scored_at, x.limit_fen FROM buyers_score x WHERE x.buyer = l.buyer
                   ORDER BY x.scored_at DESC LIMIT 1) s ON true
WHERE (l.score, l.scored_at, l.limit_fen) IS DISTINCT FROM (s.score, s.scored_at, s.limit_fen)
   OR l.over_fen > greatest(l.held_fen - l.limit_fen, 0) OR l.held_fen > l.limit_fen + l.over_fen
