-- limits_reach_v1: how far stores of a merchant can go beyond their own limit for demands between two instants: into
-- their pool within the ratio (G5) and the filing gate (G10), then into their loan. `over_fen` above zero is what a store
-- has drawn from the pool beyond the ratio, and `pool_free_fen` below zero what the pool is used beyond the gate. `turns`
-- says that the pool is filed between the instants. `room_fen` is unknown of a store that somebody lets reach beyond the
-- ratio until an instant (G9): limits_draw_v1 knows. What else caps a pool is not looked at where it is `dynamic`:
-- limits_pool_usable_v1 does. A store that never had limit has no row. One look at the accounts serves all stores.
CREATE FUNCTION limits_reach_v1(_merchant bigint, _store bigint[], _gate bigint, _begins timestamptz, _ends timestamptz)
    RETURNS TABLE (store_id bigint, pool_id bigint, own_free_fen bigint, pool_free_fen bigint, pool_used_fen bigint,
                   dynamic boolean, turns boolean, room_fen bigint, over_fen bigint, temp_free_fen bigint)
    LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT b.store_id, CASE WHEN f.pool_open THEN f.pool_id END, b.own_free, c.free_fen, c.used_fen,
           f.pool_open AND f.pool_dynamic, f.pool_filed_at > _begins AND f.pool_filed_at <= _ends,
           CASE WHEN f.extra_fen > 0 THEN NULL WHEN f.pool_open
                THEN greatest(least(c.free_fen, f.share * b.own - b.pool_used), 0) ELSE 0 END,
           b.pool_used - coalesce(f.share, 0) * b.own, b.temp_free
    FROM (SELECT a.owner AS store_id,
                 coalesce(sum(a.balance_fen) FILTER (WHERE a.kind LIKE 'q:own:%'), 0)::bigint AS own,
                 coalesce(sum(a.balance_fen) FILTER (WHERE a.kind = 'q:own:free'), 0)::bigint AS own_free,
                 coalesce(sum(a.balance_fen) FILTER (WHERE a.kind LIKE 'q:pool:%'), 0)::bigint AS pool_used,
                 coalesce(sum(a.balance_fen) FILTER (WHERE a.kind = 'q:temp:free'), 0)::bigint AS temp_free
          FROM ledger_account a
          WHERE a.merchant_id = _merchant AND a.owner = ANY (_store)
            AND a.kind IN ('q:own:free', 'q:own:held', 'q:own:drawn', 'q:pool:held', 'q:pool:drawn', 'q:temp:free')
          GROUP BY a.owner) b
    CROSS JOIN LATERAL limits_share_v1(_merchant, b.store_id) f
    LEFT JOIN ledger_account p ON p.merchant_id = _merchant AND p.kind = 'q:pool:free' AND p.owner = f.pool_id
    CROSS JOIN LATERAL (SELECT f.pool_limit_fen - coalesce(p.balance_fen, 0) AS fen) u
    CROSS JOIN LATERAL (SELECT u.fen AS used_fen,
                               least(coalesce(p.balance_fen, 0), CASE WHEN f.pool_filed_at <= _begins THEN NULL
                                                                      ELSE _gate - u.fen END) AS free_fen) c;
END;
GRANT EXECUTE ON FUNCTION limits_reach_v1 TO houfu_app;
