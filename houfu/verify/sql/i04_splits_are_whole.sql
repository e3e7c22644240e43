-- I-04: what parties were given of an order and what its store kept are its net, and no more than policy and channel
-- allowed; its lot knows what parties hold of it, and what came back was asked back.
SELECT d.merchant_id, d.order_id, 'the parts are not what was split' AS fault, d.split_fen AS said_fen, coalesce(p.fen, 0) AS there_fen
FROM splits_division d
LEFT JOIN (SELECT s.merchant_id, s.order_id, sum(p.amount_fen)::bigint AS fen
           FROM splits_split s JOIN splits_part p ON (p.merchant_id, p.split_id) = (s.merchant_id, s.id) GROUP BY 1, 2) p
     USING (merchant_id, order_id)
WHERE d.split_fen <> coalesce(p.fen, 0)
UNION ALL
SELECT d.merchant_id, d.order_id, 'not its net, or beyond the cap', d.net_fen, d.split_fen
FROM splits_division d
JOIN orders_event e ON (e.merchant_id, e.order_id, e.verb) = (d.merchant_id, d.order_id, 'settled')
WHERE d.net_fen <> e.fen - e.fee_fen OR d.split_fen + d.kept_fen <> d.net_fen
   OR d.split_fen > d.net_fen * d.cap_permille / 1000
UNION ALL
SELECT l.merchant_id, l.id, 'the lot knows otherwise', l.split_fen, coalesce(h.fen, 0)
FROM orders_lot l
LEFT JOIN (SELECT s.merchant_id, s.order_id,
                  sum(p.amount_fen - p.off_fen - p.recalled_fen) FILTER (WHERE p.state <> 'denied')::bigint AS fen
           FROM splits_split s JOIN splits_part p ON (p.merchant_id, p.split_id) = (s.merchant_id, s.id) GROUP BY 1, 2) h
     ON (h.merchant_id, h.order_id) = (l.merchant_id, l.id)
LEFT JOIN (SELECT e.merchant_id, e.order_id, sum(e.recalled_fen)::bigint AS fen FROM orders_event e
           WHERE e.recalled_fen > 0 AND NOT EXISTS (
               SELECT FROM splits_return r
               WHERE (r.merchant_id, r.order_id, r.refund_ref) = (e.merchant_id, e.order_id, e.ref)) GROUP BY 1, 2) w
     ON (w.merchant_id, w.order_id) = (l.merchant_id, l.id)
WHERE l.split_fen + coalesce(w.fen, 0) <> coalesce(h.fen, 0)
UNION ALL
SELECT e.merchant_id, e.order_id, 'asked back otherwise than refunded', e.recalled_fen, sum(r.amount_fen)::bigint
FROM orders_event e
JOIN splits_return r ON (r.merchant_id, r.order_id, r.refund_ref) = (e.merchant_id, e.order_id, e.ref)
WHERE e.verb = 'refunded' GROUP BY e.merchant_id, e.order_id, e.ref, e.recalled_fen HAVING sum(r.amount_fen) <> e.recalled_fen
UNION ALL
SELECT p.merchant_id, s.order_id, 'more came back than was asked', p.recalled_fen, p.returned_fen
FROM splits_part p
JOIN splits_split s ON (s.merchant_id, s.id) = (p.merchant_id, p.split_id)
LEFT JOIN (SELECT merchant_id, split_id, place, sum(amount_fen) FILTER (WHERE state = 'returned')::bigint AS back,
                  sum(amount_fen) FILTER (WHERE state <> 'taken_off')::bigint AS asked
           FROM splits_return GROUP BY 1, 2, 3) r
     ON (r.merchant_id, r.split_id, r.place) = (p.merchant_id, p.split_id, p.place)
WHERE p.returned_fen <> coalesce(r.back, 0) OR (p.state = 'paid' AND p.recalled_fen <> coalesce(r.asked, 0))
