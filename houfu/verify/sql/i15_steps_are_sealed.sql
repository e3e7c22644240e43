-- I-15: the steps of every batch are those that history sealed, in the same order, and none is outside a batch.
WITH sealed AS (
    SELECT merchant_id, batch, sha256(convert_to(string_agg(line, E'\n' ORDER BY no), 'UTF8')) AS digest
    FROM (SELECT merchant_id, batch, no,
                 concat_ws('|', no, order_id, verb, octet_length(convert_to(ref, 'UTF8')) || ':' || ref,
                           extract(epoch FROM at), fen, fee_fen, deficit_fen, recalled_fen, own_fen, pool_fen, temp_fen,
                           tolerance_fen,
                           octet_length(convert_to(note, 'UTF8')) || ':' || note) AS line
          FROM orders_event ORDER BY 1, 2, 3) AS lines
    GROUP BY 1, 2
), rows_now AS (
    SELECT merchant_id, 'batch/' || batch AS subject, digest FROM sealed
)
SELECT merchant_id, subject, CASE WHEN l.seq IS NULL THEN 'not in history' ELSE 'differs' END AS fault
FROM rows_now r FULL JOIN (SELECT merchant_id, subject, seq, rows_digest FROM history_link
                           WHERE verb LIKE 'orders.%' AND verb <> 'orders.authorised') l USING (merchant_id, subject)
WHERE r.digest IS DISTINCT FROM l.rows_digest
