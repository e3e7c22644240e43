-- limits_reach_v1: how far a store can go beyond its own limit now: into its pool within the ratio (G5), then into its
-- loan. `over_fen` above zero is what it has drawn from the pool beyond the ratio. What caps the pool at an instant is
-- not looked at: `capped` says that something does, where the gate is `_gate`, and limits_pool_usable_v1 says what.
CREATE FUNCTION limits_reach_v1(_merchant bigint, _store bigint, _gate bigint)
    RETURNS TABLE (pool_id bigint, own_free_fen bigint, pool_free_fen bigint, pool_used_fen bigint, capped boolean,
                   room_fen bigint, over_fen bigint, temp_free_fen bigint)
    LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT CASE WHEN f.pool_open THEN f.pool_id END, b.own_free, coalesce(p.balance_fen, 0), f.pool_limit_fen - coalesce(p.balance_fen, 0),
           f.pool_open AND (f.pool_dynamic OR f.pool_limit_fen > _gate),
           CASE WHEN f.pool_open
                THEN greatest(least(coalesce(p.balance_fen, 0), f.share * b.own - b.pool_used), 0) ELSE 0 END,
           b.pool_used - coalesce(f.share, 0) * b.own,
           b.temp_free
    FROM (SELECT coalesce(sum(a.balance_fen) FILTER (WHERE a.kind LIKE 'q:own:%'), 0)::bigint AS own,
                 coalesce(sum(a.balance_fen) FILTER (WHERE a.kind = 'q:own:free'), 0)::bigint AS own_free,
                 coalesce(sum(a.balance_fen) FILTER (WHERE a.kind LIKE 'q:pool:%'), 0)::bigint AS pool_used,
                 coalesce(sum(a.balance_fen) FILTER (WHERE a.kind = 'q:temp:free'), 0)::bigint AS temp_free
          FROM ledger_account a
          WHERE a.merchant_id = _merchant AND a.owner = _store
            AND a.kind IN ('q:own:free', 'q:own:held', 'q:own:drawn', 'q:pool:held', 'q:pool:drawn', 'q:temp:free')) b
    CROSS JOIN limits_facts_v1(ARRAY[_merchant], ARRAY[_store]) f
    LEFT JOIN ledger_account p ON p.merchant_id = _merchant AND p.kind = 'q:pool:free' AND p.owner = f.pool_id;
END;
GRANT EXECUTE ON FUNCTION limits_reach_v1 TO houfu_app;
