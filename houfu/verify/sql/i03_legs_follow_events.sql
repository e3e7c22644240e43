-- I-03: what is open of an order is what it was decided on, less what its steps released.
SELECT o.merchant_id, o.id AS order_id
FROM orders_order o
LEFT JOIN (SELECT merchant_id, order_id, sum(own_fen)::bigint AS own, sum(pool_fen)::bigint AS pool,
                  sum(temp_fen)::bigint AS temp, sum(tolerance_fen)::bigint AS tolerance
           FROM orders_event WHERE verb <> 'received' GROUP BY 1, 2) e ON (e.merchant_id, e.order_id) = (o.merchant_id, o.id)
WHERE (o.open_own_fen, o.open_pool_fen, o.open_temp_fen, o.open_tolerance_fen)
   <> (o.own_fen - coalesce(e.own, 0), o.pool_fen - coalesce(e.pool, 0), o.temp_fen - coalesce(e.temp, 0),
       o.tolerance_fen - coalesce(e.tolerance, 0))
