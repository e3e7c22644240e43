-- limits_pool_usable_v1: what of a pool may be used at an instant, and what made it so: the least of all it holds, the
-- filing gate unless the pool is filed by then (G10), base + min(floating, Σ adjustments) where it is dynamic (L4), and
-- the time band that the instant falls in (L5). `cap_fen` is the same without what it holds, NULL where nothing caps it.
-- Nothing is moved when a band turns or an adjustment ends: whoever draws asks with the instant of the demand.
-- `_gate` is the policy's at that instant, NULL where no filing is asked for.
CREATE FUNCTION limits_pool_usable_v1(_merchant bigint, _pool bigint, _at timestamptz, _gate bigint)
    RETURNS TABLE (usable_fen bigint, cap_fen bigint, holds_fen bigint, gate_fen bigint, base_fen bigint,
                   floating_fen bigint, adjusted_fen bigint, dynamic_fen bigint, band text, band_fen bigint)
    LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT least(p.limit_fen, c.gate_fen, c.dynamic_fen, b.limit_fen), least(c.gate_fen, c.dynamic_fen, b.limit_fen),
           p.limit_fen, c.gate_fen, d.base_fen, d.floating_fen, a.fen, c.dynamic_fen, b.name, b.limit_fen
    FROM limits_pool p
    LEFT JOIN LATERAL (SELECT s.base_fen, s.floating_fen, s.is_on FROM limits_dynamic s
                       WHERE s.merchant_id = _merchant AND s.pool_id = _pool AND s.valid_from <= _at
                       ORDER BY s.valid_from DESC, s.id DESC LIMIT 1) d ON p.dynamic AND d.is_on
    LEFT JOIN LATERAL (SELECT coalesce(sum(x.amount_fen), 0)::bigint AS fen FROM limits_adjustment x
                       WHERE x.merchant_id = _merchant AND x.pool_id = _pool AND x.starts_at <= _at AND _at < x.ends_at) a
        ON d.is_on
    LEFT JOIN LATERAL (SELECT n.name, n.limit_fen FROM limits_bands t
                       JOIN limits_band n ON n.merchant_id = t.merchant_id AND n.bands_id = t.id
                       CROSS JOIN (SELECT (_at AT TIME ZONE 'Asia/Shanghai')::time AS now) o
                       WHERE t.merchant_id = _merchant AND t.pool_id = _pool AND t.starts_at <= _at
                         AND (t.ends_at IS NULL OR _at < t.ends_at)
                         AND CASE WHEN n.opens < n.closes THEN o.now >= n.opens AND o.now < n.closes
                                  ELSE o.now >= n.opens OR o.now < n.closes END
                       ORDER BY n.limit_fen LIMIT 1) b ON p.dynamic
    CROSS JOIN LATERAL (SELECT CASE WHEN p.filed_at IS NULL OR p.filed_at > _at THEN _gate END AS gate_fen,
                               CASE WHEN d.is_on THEN greatest(d.base_fen + least(d.floating_fen, a.fen), 0) END
                                   AS dynamic_fen) c
    WHERE p.merchant_id = _merchant AND p.id = _pool;
END;
GRANT EXECUTE ON FUNCTION limits_pool_usable_v1 TO houfu_app;
-- limits_pool_turns_v1: whether what caps a pool may change after an instant and up to another: a setting, an adjustment
-- or bands begin or end, a band opens or closes by the clock, or the pool is filed. False says that limits_pool_usable_v1
-- is the same for all instants between, with the same gate; so a batch asks once for its pool instead of once an order.
CREATE FUNCTION limits_pool_turns_v1(_merchant bigint, _pool bigint, _from timestamptz, _until timestamptz)
    RETURNS TABLE (turns boolean)
    LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT coalesce(p.filed_at > _from AND p.filed_at <= _until, false)
        OR p.dynamic AND (
            EXISTS (SELECT FROM limits_dynamic s WHERE s.merchant_id = _merchant AND s.pool_id = _pool
                    AND s.valid_from > _from AND s.valid_from <= _until)
            OR EXISTS (SELECT FROM limits_adjustment x WHERE x.merchant_id = _merchant AND x.pool_id = _pool
                       AND (x.starts_at > _from AND x.starts_at <= _until OR x.ends_at > _from AND x.ends_at <= _until))
            OR EXISTS (SELECT FROM limits_bands t WHERE t.merchant_id = _merchant AND t.pool_id = _pool
                       AND (t.starts_at > _from AND t.starts_at <= _until OR t.ends_at > _from AND t.ends_at <= _until))
            OR EXISTS (SELECT FROM limits_bands t
                       JOIN limits_band n ON n.merchant_id = t.merchant_id AND n.bands_id = t.id
                       CROSS JOIN LATERAL (VALUES (n.opens), (n.closes)) e (at)
                       WHERE t.merchant_id = _merchant AND t.pool_id = _pool AND t.starts_at <= _from
                         AND (t.ends_at IS NULL OR _until < t.ends_at)
                         AND (_until >= _from + interval '1 day'
                              OR CASE WHEN o.begins <= o.ends THEN e.at > o.begins AND e.at <= o.ends
                                      ELSE e.at > o.begins OR e.at <= o.ends END)))
    FROM limits_pool p
    CROSS JOIN (SELECT (_from AT TIME ZONE 'Asia/Shanghai')::time AS begins,
                       (_until AT TIME ZONE 'Asia/Shanghai')::time AS ends) o
    WHERE p.merchant_id = _merchant AND p.id = _pool;
END;
GRANT EXECUTE ON FUNCTION limits_pool_turns_v1 TO houfu_app;
