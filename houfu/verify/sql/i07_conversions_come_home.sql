-- I-07: what conversions keep back and keep as haircut is what their accounts hold; of what is final, nothing is on its way.
WITH wanted AS (
    SELECT c.merchant_id, v.kind, c.id AS owner, v.fen
    FROM limits_conversion c
    CROSS JOIN LATERAL (VALUES
        ('q:conv', CASE WHEN c.state IN ('asked', 'held') THEN c.amount_fen ELSE 0 END),
        ('q:haircut', CASE WHEN c.state IN ('active', 'returning', 'returned') THEN c.haircut_fen - c.haircut_back_fen
                           ELSE 0 END)) AS v (kind, fen)
)
SELECT merchant_id, kind, owner AS conversion_id, coalesce(b.balance_fen, 0) AS booked_fen, coalesce(w.fen, 0) AS rows_fen
FROM (SELECT * FROM ledger_account WHERE kind IN ('q:conv', 'q:haircut')) b
FULL JOIN wanted w USING (merchant_id, kind, owner)
WHERE coalesce(b.balance_fen, 0) <> coalesce(w.fen, 0)
UNION ALL
-- The haircut comes back in proportion, and a true-up found all that was given in use or unused.
SELECT c.merchant_id, 'back', c.id, c.haircut_back_fen, c.haircut_fen::numeric * c.returned_fen / c.given_fen
FROM limits_conversion c WHERE c.haircut_back_fen <> floor(c.haircut_fen::numeric * c.returned_fen / c.given_fen)
UNION ALL
SELECT t.merchant_id, 'true-up of ' || t.month, t.conversion_id, t.unused_fen + t.in_use_fen, c.given_fen
FROM limits_true_up t JOIN limits_conversion c ON (c.merchant_id, c.id) = (t.merchant_id, t.conversion_id)
WHERE t.unused_fen + t.in_use_fen <> c.given_fen OR c.returned_fen < t.unused_fen
   OR t.month < date_trunc('month', c.decided_at AT TIME ZONE 'Asia/Shanghai')::date
UNION ALL
SELECT c.merchant_id, c.state, c.id, c.returned_fen, count(t.month)
FROM limits_conversion c LEFT JOIN limits_true_up t ON (t.merchant_id, t.conversion_id) = (c.merchant_id, c.id)
GROUP BY c.merchant_id, c.id HAVING (c.state IN ('returning', 'returned')) <> (count(t.month) > 0)
