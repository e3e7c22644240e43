-- I-22: a pool that is larger than every figure in force since it was signed for has raised its filing, and what lies
-- above the figure is open from the instant at which that was accepted, and not otherwise (G10).
WITH packs AS (
    SELECT effective_from, lead(effective_from, 1, 'infinity') OVER (ORDER BY effective_from) AS effective_to,
           (document::jsonb #>> '{pools,filing_above_fen}')::bigint AS figure_fen
    FROM policies_pack
)
SELECT p.merchant_id, p.id AS pool_id, p.limit_fen, p.filed_at, f.state, f.accepted_at
FROM limits_pool p
LEFT JOIN limits_filing f ON (f.merchant_id, f.pool_id) = (p.merchant_id, p.id)
CROSS JOIN LATERAL (SELECT max(k.figure_fen) AS figure_fen, bool_or(k.figure_fen IS NULL) AS none FROM packs k
                    WHERE k.effective_to > p.signed_at) k
WHERE p.filed_at IS DISTINCT FROM f.accepted_at
   OR (p.state IN ('active', 'frozen') AND f.id IS NULL AND NOT k.none AND p.limit_fen > k.figure_fen)
