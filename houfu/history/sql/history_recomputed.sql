-- The next links of one merchant's chain, each with what does not hold of it, from the link before on (I-15).
WITH asked AS (SELECT %s::bigint AS merchant_id, %s::bigint AS after, %s::int AS most),
next AS (
    SELECT l.* FROM history_link l, asked
    WHERE l.merchant_id = asked.merchant_id AND l.seq > asked.after ORDER BY l.seq LIMIT (SELECT most FROM asked)
),
before AS (
    SELECT l.seq, l.hash FROM history_link l, asked WHERE l.merchant_id = asked.merchant_id AND l.seq = asked.after
),
walked AS (
    SELECT seq, hash,
           history_hash_v1(coalesce(lag(hash) OVER chain, (SELECT hash FROM before), '\x'), merchant_id, seq, at, actor,
                           verb, subject, detail, rows_digest) AS should,
           seq - coalesce(lag(seq) OVER chain, (SELECT after FROM asked)) AS step
    FROM next WINDOW chain AS (ORDER BY seq)
)
SELECT seq, encode(hash, 'hex') AS hash,
       CASE WHEN step <> 1 THEN 'link_missing' WHEN hash <> should THEN 'link_altered' END AS fault
FROM walked ORDER BY seq
