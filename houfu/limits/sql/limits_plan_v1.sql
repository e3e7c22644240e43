-- limits_plan_v1: what demands for limit would stand on if all of them fit, one after another in the order given, from
-- own → pool within the ratio → temporary loan (G6); one row of arrays. No row where anything does not fit, or would
-- need tolerance, or a note, or where what caps a pool may change between demands: then limits_draw_v1 decides.
-- `_gate` is what of a pool may be used unfiled, by the policy at each demand's instant (limits_pool_usable_v1).
-- Nothing is locked. Whoever books the plan with limits_book_v1 learns whether it still holds.
-- It asks step by step, as most batches stand on own limit alone, or on one pool alone: what they do not need is not
-- even begun. Arrays of a record have the same order, an element for each store, or for each pool. Places in them are
-- searched for only where stores are FEW.
CREATE FUNCTION limits_plan_v1(_merchant bigint[], _store bigint[], _amount bigint[], _at timestamptz[],
                               _gate bigint[])
    RETURNS TABLE (own_fen bigint[], pool_fen bigint[], temp_fen bigint[], pool_id bigint[])
    LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    count CONSTANT integer := cardinality(_amount);
    none CONSTANT bigint[] := array_fill(0::bigint, ARRAY[count]);
    FEW CONSTANT integer := 100;
    own record; reach record; one_pool bigint;
    cap_merchant bigint[]; cap_pool bigint[]; cap_usable bigint[]; cap_turns boolean;  -- of each pool that is dynamic
BEGIN
    SELECT array_agg(t.merchant_id) AS merchants, array_agg(t.store_id) AS stores, array_agg(t.fen) AS fens,
           array_agg(t.begins) AS begins, array_agg(t.ends) AS ends, array_agg(coalesce(o.balance_fen, 0)) AS free_fens,
           bool_and(coalesce(s.state = 'active', false) AND NOT EXISTS (
               SELECT FROM limits_loan l WHERE l.merchant_id = t.merchant_id AND l.store_id = t.store_id
               AND l.state <> 'repaid' AND l.due_at < t.ends)) AS may_draw,
           bool_and(t.fen <= coalesce(o.balance_fen, 0)) AS enough, min(t.begins) AS first, max(t.ends) AS last,
           count(*) <= FEW AND bool_and(coalesce(o.balance_fen, 0) = 0)
               AND min(t.merchant_id) = max(t.merchant_id) AS bare
    INTO own
    FROM (SELECT _merchant[n] AS merchant_id, _store[n] AS store_id, sum(_amount[n])::bigint AS fen, min(_at[n]) AS begins,
                 max(_at[n]) AS ends
          FROM generate_series(1, count) n GROUP BY 1, 2) t
    LEFT JOIN LATERAL (SELECT s.state FROM merchants_store s WHERE s.merchant_id = t.merchant_id AND s.id = t.store_id
                       OFFSET 0) s ON true
    LEFT JOIN LATERAL (SELECT a.balance_fen FROM ledger_account a
                       WHERE a.merchant_id = t.merchant_id AND a.kind = 'q:own:free' AND a.owner = t.store_id
                       OFFSET 0) o ON true;
    IF NOT own.may_draw THEN RETURN; END IF;
    IF own.enough THEN
        own_fen := _amount; pool_fen := none; temp_fen := none; pool_id := array_fill(NULL::bigint, ARRAY[count]);
        RETURN NEXT; RETURN;
    END IF;
    IF array_remove(_gate, _gate[1]) <> '{}' THEN RETURN; END IF;

    IF own.bare THEN  -- what fits within the ratio and below the gate fits whatever is filed or let reach further
        SELECT min(r.pool_id) INTO one_pool
        FROM limits_reach_v1(own.merchants[1], own.stores, _gate[1], own.first, own.last) r
        CROSS JOIN LATERAL (SELECT own.fens[array_position(own.stores, r.store_id)] AS fen) w
        HAVING count(*) FILTER (WHERE w.fen <= -r.over_fen AND NOT r.dynamic) = cardinality(own.stores)
           AND min(r.pool_id) = max(r.pool_id) AND count(r.pool_id) = count(*) AND sum(w.fen) <= min(r.pool_free_fen);
        IF one_pool IS NOT NULL THEN
            own_fen := none; pool_fen := _amount; temp_fen := none; pool_id := array_fill(one_pool, ARRAY[count]);
            RETURN NEXT; RETURN;
        END IF;
    END IF;

    SELECT array_agg(r.pool_id) AS pools, array_agg(r.room_fen) AS room_fens, array_agg(r.over_fen) AS over_fens,
           array_agg(r.pool_free_fen) AS free_fens, array_agg(r.pool_used_fen) AS used_fens,
           array_agg(r.temp_free_fen) AS temp_fens, array_agg(r.dynamic) AS dynamic,
           bool_or(r.dynamic) AS any_dynamic, bool_or(r.turns OR w.fen > w.own_fen AND r.room_fen IS NULL) AS unsure
    INTO reach
    FROM unnest(own.merchants, own.stores, own.fens, own.free_fens, own.begins, own.ends)
         w (merchant_id, store_id, fen, own_fen, begins, ends)
    LEFT JOIN LATERAL (SELECT * FROM limits_reach_v1(w.merchant_id, ARRAY[w.store_id], _gate[1], w.begins, w.ends)
                       WHERE w.fen > w.own_fen) r ON true;
    IF reach.unsure THEN RETURN; END IF;
    IF reach.any_dynamic THEN
        SELECT array_agg(p.merchant_id), array_agg(p.pool_id), array_agg(u.usable_fen), bool_or(t.turns)
        INTO cap_merchant, cap_pool, cap_usable, cap_turns
        FROM (SELECT s.merchant_id, s.pool_id, min(s.begins) AS begins, max(s.ends) AS ends
              FROM unnest(own.merchants, reach.pools, reach.dynamic, own.begins, own.ends)
                   s (merchant_id, pool_id, dynamic, begins, ends) WHERE s.dynamic GROUP BY 1, 2) p
        CROSS JOIN LATERAL limits_pool_usable_v1(p.merchant_id, p.pool_id, p.begins, _gate[1]) u
        CROSS JOIN LATERAL limits_pool_turns_v1(p.merchant_id, p.pool_id, p.begins, p.ends) t;
        IF cap_turns THEN RETURN; END IF;
    END IF;

    RETURN QUERY
    WITH store AS (
        SELECT s.merchant_id, s.store_id, s.fen, s.own_free_fen, s.pool_id, s.temp_free_fen,
               CASE WHEN c.usable_fen IS NULL THEN coalesce(s.room_fen, 0)
                    ELSE greatest(least(s.pool_free_fen, c.usable_fen - s.pool_used_fen, -s.over_fen), 0) END AS room_fen,
               least(s.pool_free_fen, c.usable_fen - s.pool_used_fen) AS pool_free_fen
        FROM unnest(own.merchants, own.stores, own.fens, own.free_fens, reach.pools, reach.room_fens, reach.over_fens,
                    reach.free_fens, reach.used_fens, reach.temp_fens)
             s (merchant_id, store_id, fen, own_free_fen, pool_id, room_fen, over_fen, pool_free_fen, pool_used_fen,
                temp_free_fen)
        LEFT JOIN unnest(cap_merchant, cap_pool, cap_usable) c (merchant_id, pool_id, usable_fen)
            USING (merchant_id, pool_id)
    ), demand AS (
        SELECT d.no, d.merchant_id, d.store_id, d.amount_fen,
               (sum(d.amount_fen) OVER store)::bigint AS upto_fen
        FROM unnest(_merchant, _store, _amount) WITH ORDINALITY d (merchant_id, store_id, amount_fen, no)
        WINDOW store AS (PARTITION BY d.merchant_id, d.store_id ORDER BY d.no ROWS UNBOUNDED PRECEDING)
    )
    SELECT array_agg(greatest(least(d.amount_fen, s.own_free_fen - (d.upto_fen - d.amount_fen)), 0) ORDER BY d.no),
           array_agg(greatest(least(d.upto_fen, s.own_free_fen + s.room_fen)
                              - greatest(d.upto_fen - d.amount_fen, s.own_free_fen), 0) ORDER BY d.no),
           array_agg(greatest(d.upto_fen - greatest(d.upto_fen - d.amount_fen, s.own_free_fen + s.room_fen), 0)
                     ORDER BY d.no),
           array_agg(CASE WHEN least(d.upto_fen, s.own_free_fen + s.room_fen)
                               > greatest(d.upto_fen - d.amount_fen, s.own_free_fen) THEN s.pool_id END ORDER BY d.no)
    FROM demand d JOIN store s USING (merchant_id, store_id)
    HAVING bool_and(s.fen <= s.own_free_fen + s.room_fen + coalesce(s.temp_free_fen, 0)) AND NOT EXISTS (
        SELECT FROM store p WHERE p.fen > p.own_free_fen AND p.room_fen > 0 GROUP BY p.merchant_id, p.pool_id
        HAVING sum(least(p.fen - p.own_free_fen, p.room_fen)) > min(p.pool_free_fen));
END $$;
GRANT EXECUTE ON FUNCTION limits_plan_v1 TO houfu_app;
