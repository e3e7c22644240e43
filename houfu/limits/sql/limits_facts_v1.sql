-- limits_share_v1: what pool a store shares in, how far, and whether it may now. A store that does not exist has no row.
-- OFFSET 0 has each store looked up along its key, whatever the planner thinks of tables that are small yet.
CREATE FUNCTION limits_share_v1(_merchant bigint, _store bigint)
    RETURNS TABLE (merchant_id bigint, store_id bigint, state text, pool_id bigint, share bigint, pool_open boolean,
                   extra_fen bigint, extra_until timestamptz, pool_limit_fen bigint, pool_dynamic boolean,
                   pool_filed_at timestamptz)
    LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT s.merchant_id, s.id, s.state, m.pool_id,
           CASE WHEN m.state = 'probation' THEN least(p.share, m.probation_share) ELSE p.share END,
           p.state = 'active' AND m.state IN ('probation', 'active') AND s.sharing,
           m.extra_fen, m.extra_until, p.limit_fen, p.dynamic, p.filed_at
    FROM merchants_store s
    LEFT JOIN limits_member m ON m.merchant_id = s.merchant_id AND m.store_id = s.id
        AND m.state <> 'removed'
    LEFT JOIN limits_pool p ON p.merchant_id = m.merchant_id AND p.id = m.pool_id
    WHERE s.merchant_id = _merchant AND s.id = _store
    OFFSET 0;
END;
GRANT EXECUTE ON FUNCTION limits_share_v1 TO houfu_app;

-- limits_facts_v1: what besides balances decides whether a store may draw: what it shares in, its loan, its note.
CREATE FUNCTION limits_facts_v1(_merchant bigint[], _store bigint[])
    RETURNS TABLE (merchant_id bigint, store_id bigint, state text, pool_id bigint, share bigint, pool_open boolean,
                   extra_fen bigint, extra_until timestamptz, pool_limit_fen bigint, pool_dynamic boolean,
                   pool_filed_at timestamptz, loan_due_at timestamptz, noted_from timestamptz, noted_until timestamptz)
    LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT s.*, l.due_at, n.valid_from, n.valid_until
    FROM unnest(_merchant, _store) w (merchant_id, store_id)
    CROSS JOIN LATERAL limits_share_v1(w.merchant_id, w.store_id) s
    LEFT JOIN limits_loan l ON l.merchant_id = s.merchant_id AND l.store_id = s.store_id AND l.state <> 'repaid'
    LEFT JOIN LATERAL (SELECT x.valid_from, x.valid_until FROM limits_note x
                       WHERE x.merchant_id = s.merchant_id AND x.store_id = s.store_id ORDER BY x.id DESC LIMIT 1) n ON true;
END;
GRANT EXECUTE ON FUNCTION limits_facts_v1 TO houfu_app;
