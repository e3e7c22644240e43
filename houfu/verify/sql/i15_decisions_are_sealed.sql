-- I-15: the decisions of every batch are those that history sealed, in the same order, and none is outside a batch.
WITH sealed AS (
    SELECT merchant_id, batch, sha256(convert_to(string_agg(line, E'\n' ORDER BY no), 'UTF8')) AS digest
    FROM (SELECT merchant_id, batch, no,
                 concat_ws('|', no, id, store_id, amount_fen, coalesce(buyer, '-'), extract(epoch FROM authorised_at),
                           own_fen, pool_fen, temp_fen, tolerance_fen, coalesce(pool_id, 0),
                           coalesce(array_to_string(reasons, ','), '-')) AS line
          FROM orders_order ORDER BY 1, 2, 3) AS lines
    GROUP BY 1, 2
), rows_now AS (
    SELECT merchant_id, 'batch/' || batch AS subject, digest FROM sealed
)
SELECT merchant_id, subject, CASE WHEN l.seq IS NULL THEN 'not in history' ELSE 'differs' END AS fault
FROM rows_now r FULL JOIN (SELECT merchant_id, subject, seq, rows_digest FROM history_link
                           WHERE verb = 'orders.authorised') l USING (merchant_id, subject)
WHERE r.digest IS DISTINCT FROM l.rows_digest AND NOT (r.digest IS NULL AND l.rows_digest IS NULL)
