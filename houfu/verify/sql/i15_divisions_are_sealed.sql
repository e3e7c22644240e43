-- I-15: how orders were divided is what history sealed, batch by batch.
WITH part AS (
    SELECT s.merchant_id, s.order_id, string_agg(p.party_id || '=' || p.amount_fen, ',' ORDER BY s.no, p.place) AS said
    FROM splits_split s JOIN splits_part p ON (p.merchant_id, p.split_id) = (s.merchant_id, s.id) GROUP BY 1, 2
), sealed AS (
    SELECT d.merchant_id, 'batch/' || d.batch AS subject,
           sha256(convert_to(string_agg(
               concat_ws('|', d.no, d.order_id, d.store_id, d.rule_id, extract(epoch FROM d.at), d.net_fen, d.cap_permille,
                         d.split_fen, d.kept_fen, array_to_string(d.kept_for, ','), p.said), E'\n' ORDER BY d.no), 'UTF8')) AS digest
    FROM splits_division d LEFT JOIN part p USING (merchant_id, order_id) GROUP BY d.merchant_id, d.batch
)
SELECT merchant_id, subject, CASE WHEN l.seq IS NULL THEN 'not in history' ELSE 'differs' END AS fault
FROM sealed s FULL JOIN (SELECT merchant_id, subject, seq, rows_digest FROM history_link
                         WHERE verb = 'splits.divided') l USING (merchant_id, subject)
WHERE s.digest IS DISTINCT FROM l.rows_digest
