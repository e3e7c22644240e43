-- limits_plan_v1: what demands for limit would stand on if all of them fit, one after another in the order given, from
-- own → pool within the ratio → temporary loan (G6); one row of arrays. No row where anything does not fit, or would
-- need tolerance, or a note, or where what caps a pool may change between demands: then limits_draw_v1 decides.
-- `_gate` is what of a pool may be used unfiled, by the policy at each demand's instant (limits_pool_usable_v1).
-- Nothing is locked. Whoever books the plan with limits_book_v1 learns whether it still holds.
CREATE FUNCTION limits_plan_v1(_merchant bigint[], _store bigint[], _amount bigint[], _at timestamptz[],
                               _gate bigint[])
    RETURNS TABLE (own_fen bigint[], pool_fen bigint[], temp_fen bigint[], pool_id bigint[])
    LANGUAGE sql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
    WITH demand AS (
        SELECT d.no, d.merchant_id, d.store_id, d.amount_fen, d.at, d.gate_fen,
               (sum(d.amount_fen) OVER store)::bigint AS upto_fen
        FROM unnest(_merchant, _store, _amount, _at, _gate) WITH ORDINALITY
             d (merchant_id, store_id, amount_fen, at, gate_fen, no)
        WINDOW store AS (PARTITION BY d.merchant_id, d.store_id ORDER BY d.no ROWS UNBOUNDED PRECEDING)
    ), total AS (
        SELECT merchant_id, store_id, sum(amount_fen)::bigint AS fen, max(at) AS at, min(gate_fen) AS gate_fen
        FROM demand GROUP BY 1, 2
    ), stands AS (
        SELECT t.merchant_id, t.store_id, t.fen, t.gate_fen, coalesce(o.balance_fen, 0) AS own_free_fen,
               s.state = 'active' AND NOT EXISTS (
                   SELECT FROM limits_loan l WHERE l.merchant_id = t.merchant_id AND l.store_id = t.store_id
                   AND l.state <> 'repaid' AND l.due_at < t.at) AS may_draw
        FROM total t
        LEFT JOIN merchants_store s ON s.merchant_id = t.merchant_id AND s.id = t.store_id
        LEFT JOIN ledger_account o ON o.merchant_id = t.merchant_id AND o.kind = 'q:own:free' AND o.owner = t.store_id
    ), far AS (
        SELECT s.merchant_id, s.store_id, s.fen, s.own_free_fen, s.may_draw, r.pool_id, r.pool_free_fen, r.pool_used_fen,
               r.capped, r.room_fen, r.over_fen, r.temp_free_fen
        FROM stands s
        LEFT JOIN LATERAL (SELECT * FROM limits_reach_v1(s.merchant_id, s.store_id, s.gate_fen)
                           WHERE s.fen > s.own_free_fen) r ON true
    ), span AS MATERIALIZED (
        SELECT f.merchant_id, f.pool_id, min(d.at) AS begins, max(d.at) AS ends, min(d.gate_fen) AS gate_fen,
               count(DISTINCT coalesce(d.gate_fen, -1)) = 1 AS one_gate
        FROM far f JOIN demand d USING (merchant_id, store_id) WHERE f.capped GROUP BY 1, 2
    ), cap AS MATERIALIZED (
        SELECT s.merchant_id, s.pool_id, u.usable_fen, s.one_gate AND NOT t.turns AS steady
        FROM span s
        CROSS JOIN LATERAL limits_pool_usable_v1(s.merchant_id, s.pool_id, s.begins, s.gate_fen) u
        CROSS JOIN LATERAL limits_pool_turns_v1(s.merchant_id, s.pool_id, s.begins, s.ends) t
    ), room AS (
        SELECT f.merchant_id, f.store_id, f.fen, f.own_free_fen, f.pool_id, f.temp_free_fen,
               f.may_draw AND (f.fen <= f.own_free_fen OR f.room_fen IS NOT NULL)
               AND c.steady IS NOT FALSE AS may_draw,
               least(f.pool_free_fen, c.usable_fen - f.pool_used_fen) AS pool_free_fen,
               CASE WHEN c.usable_fen IS NULL THEN coalesce(f.room_fen, 0)
                    ELSE greatest(least(f.pool_free_fen, c.usable_fen - f.pool_used_fen, -f.over_fen), 0) END AS room_fen
        FROM far f LEFT JOIN cap c USING (merchant_id, pool_id)
    ), reach AS (
        SELECT s.merchant_id, s.store_id, s.own_free_fen, s.pool_id, s.room_fen,
               least(greatest(s.fen - s.own_free_fen, 0), s.room_fen) AS pool_fen, s.pool_free_fen,
               coalesce(s.may_draw AND s.fen <= s.own_free_fen + s.room_fen + coalesce(s.temp_free_fen, 0), false) AS fits
        FROM room s
    )
    SELECT array_agg(greatest(least(d.amount_fen, r.own_free_fen - (d.upto_fen - d.amount_fen)), 0) ORDER BY d.no),
           array_agg(greatest(least(d.upto_fen, r.own_free_fen + r.room_fen)
                              - greatest(d.upto_fen - d.amount_fen, r.own_free_fen), 0) ORDER BY d.no),
           array_agg(greatest(d.upto_fen - greatest(d.upto_fen - d.amount_fen, r.own_free_fen + r.room_fen), 0)
                     ORDER BY d.no),
           array_agg(CASE WHEN least(d.upto_fen, r.own_free_fen + r.room_fen)
                               > greatest(d.upto_fen - d.amount_fen, r.own_free_fen) THEN r.pool_id END ORDER BY d.no)
    FROM demand d JOIN reach r USING (merchant_id, store_id)
    HAVING bool_and(r.fits) AND NOT EXISTS (
        SELECT FROM reach p WHERE p.pool_fen > 0 GROUP BY p.merchant_id, p.pool_id
        HAVING sum(p.pool_fen) > min(p.pool_free_fen))
$$;
GRANT EXECUTE ON FUNCTION limits_plan_v1 TO houfu_app;
