-- limits_book_v1: move the quota that orders of batches stand on from its sources to what is held; one transfer a batch.
-- The accounts of pools and stores are locked here, last and briefly.
-- Refuses with: ledger_account_floor (a source has less by now), HF203 (a plan does not hold any more: a store that
--               draws beyond its own limit has own limit again, or less reach, or drew on its loan before its pool, or
--               a pool is used beyond what may be at the demands' instants, where `_gate` is the policy's, or what
--               caps it changes between them).
CREATE FUNCTION limits_book_v1(
    _transfer uuid[], _merchant bigint[], _store bigint[], _at timestamptz[], _own bigint[], _pool bigint[],
    _temp bigint[], _tolerance bigint[], _pool_id bigint[], _gate bigint[], _planned boolean
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    line record; drawn record; holds boolean;
BEGIN
    SELECT array_agg(s.merchant_id) AS merchants, array_agg(s.transfer) AS transfers, array_agg(s.ends) AS ats,
           array_agg(s.begins) AS begins, array_agg(s.store_id) AS stores, array_agg(l.debit) AS debits,
           array_agg(l.credit) AS credits, array_agg(l.credit_owner) AS owners, array_agg(l.fen) AS fens,
           CASE WHEN bool_and(l.credit = 'q:pool:free') AND min(s.merchant_id) = max(s.merchant_id)
                AND min(l.credit_owner) = max(l.credit_owner) THEN min(l.credit_owner) END AS one_pool,
           min(s.begins) AS first, max(s.ends) AS last
    INTO line
    FROM (SELECT _transfer[n] AS transfer, _merchant[n] AS merchant_id, _store[n] AS store_id, _pool_id[n] AS pool_id,
                 min(_at[n]) AS begins, max(_at[n]) AS ends, sum(_own[n])::bigint AS own, sum(_pool[n])::bigint AS pool,
                 sum(_temp[n])::bigint AS temp, sum(_tolerance[n])::bigint AS tolerance
          FROM generate_series(1, cardinality(_store)) n GROUP BY 1, 2, 3, 4) s
    CROSS JOIN LATERAL (VALUES
        ('q:own:held', 'q:own:free', s.store_id, s.own),
        ('q:pool:held', 'q:pool:free', s.pool_id, s.pool),
        ('q:temp:held', 'q:temp:free', s.store_id, s.temp),
        ('q:tolerance:held', 'q:grant:tolerance', s.store_id, s.tolerance)) l (debit, credit, credit_owner, fen)
    WHERE l.fen > 0;
    IF line.fens IS NULL THEN RETURN; END IF;
    PERFORM ledger_post_v1(
        line.merchants, line.transfers, array_fill('orders.authorised'::text, ARRAY[cardinality(line.fens)]), line.ats,
        line.debits, line.stores, line.credits, line.owners, line.fens);
    IF NOT _planned OR NOT line.credits && '{q:pool:free,q:temp:free}' THEN RETURN; END IF;

    IF line.one_pool IS NOT NULL THEN  -- most batches that draw on a pool draw on nothing else
        SELECT count(*) = cardinality(line.stores) INTO holds
        FROM limits_reach_v1(line.merchants[1], line.stores, _gate[1], line.first, line.last) r
        WHERE r.own_free_fen = 0 AND r.over_fen <= 0 AND r.pool_id = line.one_pool AND NOT r.dynamic
          AND r.pool_free_fen >= 0;
        IF holds THEN RETURN; END IF;
    END IF;
    SELECT array_agg(s.merchant_id) AS merchants, array_agg(r.pool_id) AS pools, array_agg(s.pool_id) AS drawn_from,
           array_agg(s.begins) AS begins, array_agg(s.ends) AS ends, array_agg(r.pool_used_fen) AS used_fens,
           array_agg(s.lent AND coalesce(r.room_fen, 1) > 0) AS skipped, array_agg(r.dynamic) AS dynamic,
           bool_or(r.dynamic) AS any_dynamic,
           bool_or(r.store_id IS NULL OR r.own_free_fen <> 0 OR r.over_fen > 0 OR r.turns
                   OR r.pool_free_fen < 0 AND s.pool_id IS NOT NULL
                   OR r.pool_id IS DISTINCT FROM coalesce(s.pool_id, r.pool_id)
                   OR s.lent AND coalesce(r.room_fen, 1) > 0 AND r.dynamic IS NOT TRUE) AS broken
    INTO drawn
    FROM (SELECT l.merchant_id, l.store_id, bool_or(l.credit = 'q:temp:free') AS lent, min(l.begins) AS begins,
                 max(l.ends) AS ends, max(l.owner) FILTER (WHERE l.credit = 'q:pool:free') AS pool_id
          FROM unnest(line.merchants, line.stores, line.credits, line.owners, line.begins, line.ats)
               l (merchant_id, store_id, credit, owner, begins, ends)
          WHERE l.credit IN ('q:pool:free', 'q:temp:free') GROUP BY 1, 2) s
    LEFT JOIN LATERAL limits_reach_v1(s.merchant_id, ARRAY[s.store_id], _gate[1], s.begins, s.ends) r ON true;
    IF drawn.any_dynamic AND drawn.broken IS NOT TRUE THEN
        SELECT bool_or(t.turns OR p.drawn AND p.used_fen > u.usable_fen OR p.skipped AND p.used_fen < u.usable_fen)
        INTO drawn.broken
        FROM (SELECT s.merchant_id, s.pool_id, min(s.begins) AS begins, max(s.ends) AS ends, max(s.used_fen) AS used_fen,
                     bool_or(s.drawn_from IS NOT NULL) AS drawn, bool_or(s.skipped) AS skipped
              FROM unnest(drawn.merchants, drawn.pools, drawn.drawn_from, drawn.begins, drawn.ends, drawn.used_fens,
                          drawn.skipped, drawn.dynamic)
                   s (merchant_id, pool_id, drawn_from, begins, ends, used_fen, skipped, dynamic)
              WHERE s.dynamic GROUP BY 1, 2) p
        CROSS JOIN LATERAL limits_pool_usable_v1(p.merchant_id, p.pool_id, p.begins, _gate[1]) u
        CROSS JOIN LATERAL limits_pool_turns_v1(p.merchant_id, p.pool_id, p.begins, p.ends) t;
    END IF;
    IF drawn.broken THEN RAISE 'the plan does not hold any more' USING ERRCODE = 'HF203'; END IF;
END $$;
GRANT EXECUTE ON FUNCTION limits_book_v1 TO houfu_app;
