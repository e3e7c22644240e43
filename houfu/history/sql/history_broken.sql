-- Every link whose hash is not that of its content after the link before it, every gap, and every head that does not
-- name the end of its chain.
WITH walked AS (
    SELECT merchant_id, seq, hash,
           history_hash_v1(coalesce(lag(hash) OVER chain, '\x'), merchant_id, seq, at, actor, verb, subject, detail,
                           rows_digest) AS should,
           seq - coalesce(lag(seq) OVER chain, 0) AS step, lead(seq) OVER chain IS NULL AS last
    FROM history_link WINDOW chain AS (PARTITION BY merchant_id ORDER BY seq)
)
SELECT merchant_id, seq, CASE WHEN step <> 1 THEN 'link_missing' ELSE 'link_altered' END AS fault
FROM walked WHERE step <> 1 OR hash <> should
UNION ALL
SELECT h.merchant_id, h.seq, 'head_differs'
FROM history_head h LEFT JOIN walked w ON w.merchant_id = h.merchant_id AND w.last
WHERE (h.seq, h.hash) IS DISTINCT FROM (coalesce(w.seq, 0), coalesce(w.hash, '\x'))
UNION ALL
SELECT w.merchant_id, w.seq, 'head_missing'
FROM walked w WHERE w.last AND NOT EXISTS (SELECT FROM history_head h WHERE h.merchant_id = w.merchant_id)
ORDER BY 1, 2
