-- I-03: no order took more of a pool than gate, floating part and time band let anybody use at its instant (G10, L4, L5).
-- What changed at that very instant may have come before or after it, and is left out.
-- Orders of pools without a floating part and bands, by far the most, are compared with the gate alone.
WITH changed AS (
    SELECT merchant_id, pool_id, valid_from AS at FROM limits_dynamic
    UNION SELECT a.merchant_id, a.pool_id, x.at FROM limits_adjustment a, unnest(ARRAY[a.starts_at, a.ends_at]) x (at)
    UNION SELECT b.merchant_id, b.pool_id, x.at FROM limits_bands b, unnest(ARRAY[b.starts_at, b.ends_at]) x (at)
    UNION SELECT merchant_id, id, filed_at FROM limits_pool
), drawn AS (
    SELECT o.merchant_id, o.id AS order_id, o.pool_id, o.pool_fen, o.authorised_at AS at, u.fen AS unfiled_fen
    FROM orders_order o
    JOIN limits_pool p ON (p.merchant_id, p.id) = (o.merchant_id, o.pool_id)
    CROSS JOIN LATERAL (SELECT CASE WHEN p.filed_at <= o.authorised_at THEN NULL ELSE
        (SELECT array_agg((document::jsonb -> 'pools' ->> 'filing_above_fen')::bigint ORDER BY effective_from)
         FROM policies_pack)[width_bucket(o.authorised_at, (SELECT array_agg(effective_from ORDER BY effective_from)
                                                            FROM policies_pack))] END AS fen) u
    WHERE o.pool_fen > 0 AND (
        o.pool_fen > u.fen OR (o.merchant_id, o.pool_id) IN (SELECT merchant_id, pool_id FROM limits_dynamic
                                                             UNION ALL SELECT merchant_id, pool_id FROM limits_bands))
), capped AS (
    SELECT d.*,
           (SELECT CASE WHEN s.is_on THEN greatest(0, s.base_fen + least(s.floating_fen, coalesce(
                        (SELECT sum(a.amount_fen) FROM limits_adjustment a
                         WHERE (a.merchant_id, a.pool_id) = (d.merchant_id, d.pool_id)
                           AND d.at >= a.starts_at AND d.at < a.ends_at), 0))) END
            FROM limits_dynamic s
            WHERE (s.merchant_id, s.pool_id) = (d.merchant_id, d.pool_id) AND s.valid_from <= d.at
            ORDER BY s.valid_from DESC, s.id DESC LIMIT 1) AS dynamic_fen,
           (SELECT min(n.limit_fen) FROM limits_bands b
            JOIN limits_band n ON (n.merchant_id, n.bands_id) = (b.merchant_id, b.id)
            CROSS JOIN (SELECT (d.at AT TIME ZONE 'Asia/Shanghai')::time AS clock) c
            WHERE (b.merchant_id, b.pool_id) = (d.merchant_id, d.pool_id) AND b.starts_at <= d.at
              AND d.at < coalesce(b.ends_at, 'infinity')
              AND (n.opens <= c.clock AND c.clock < n.closes
                   OR n.opens > n.closes AND (n.opens <= c.clock OR c.clock < n.closes))) AS band_fen
    FROM drawn d
    WHERE NOT EXISTS (SELECT FROM changed c WHERE (c.merchant_id, c.pool_id, c.at) = (d.merchant_id, d.pool_id, d.at))
)
SELECT merchant_id, order_id, pool_id, pool_fen, unfiled_fen, dynamic_fen, band_fen FROM capped
WHERE pool_fen > least(unfiled_fen, dynamic_fen, band_fen)
