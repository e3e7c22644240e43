-- I-15: every link's hash is that of its content after the link before it, without gaps, up to its head.
WITH walked AS (
    SELECT merchant_id, seq, hash, sha256(coalesce(lag(hash) OVER chain, '\x') || convert_to(string_field, 'UTF8')) AS should,
           seq - coalesce(lag(seq) OVER chain, 0) AS step, lead(seq) OVER chain IS NULL AS last
    FROM (SELECT l.*, (SELECT string_agg(octet_length(convert_to(f, 'UTF8')) || ':' || f, '' ORDER BY n)
                       FROM unnest(ARRAY[l.merchant_id::text, l.seq::text,
                                         to_char(l.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                                         l.actor, l.verb, l.subject, l.detail, coalesce(encode(l.rows_digest, 'hex'), '')])
                            WITH ORDINALITY AS fields (f, n)) AS string_field
          FROM history_link l) AS l
    WINDOW chain AS (PARTITION BY merchant_id ORDER BY seq)
)
SELECT merchant_id, seq, CASE WHEN step <> 1 THEN 'link missing' ELSE 'link altered' END AS fault
FROM walked WHERE step <> 1 OR hash <> should
UNION ALL
SELECT coalesce(h.merchant_id, w.merchant_id), coalesce(h.seq, w.seq), 'head differs'
FROM history_head h FULL JOIN (SELECT * FROM walked WHERE last) w USING (merchant_id)
WHERE (h.seq, h.hash) IS DISTINCT FROM (w.seq, w.hash)
