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
    line record;
BEGIN
    SELECT array_agg(s.merchant_id) AS merchants, array_agg(s.transfer) AS transfers, array_agg(s.at) AS ats,
           array_agg(s.store_id) AS stores, array_agg(s.gate) AS gates, array_agg(l.debit) AS debits, array_agg(l.credit) AS credits,
           array_agg(l.credit_owner) AS owners, array_agg(l.fen) AS fens
    INTO line
    FROM (SELECT d.transfer, d.merchant_id, d.store_id, d.pool_id, max(d.at) AS at, min(d.gate) AS gate,
                 sum(d.own)::bigint AS own,
                 sum(d.pool)::bigint AS pool, sum(d.temp)::bigint AS temp, sum(d.tolerance)::bigint AS tolerance
          FROM unnest(_transfer, _merchant, _store, _pool_id, _at, _gate, _own, _pool, _temp, _tolerance)
               d (transfer, merchant_id, store_id, pool_id, at, gate, own, pool, temp, tolerance)
          GROUP BY 1, 2, 3, 4) s
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
    IF _planned AND EXISTS (
        WITH drawn AS MATERIALIZED (
            SELECT s.merchant_id, s.store_id, s.lent, s.pool_id AS drawn_from, r.*
            FROM (SELECT l.merchant_id, l.store_id, bool_or(l.credit = 'q:temp:free') AS lent, min(l.gate) AS gate,
                         max(l.owner) FILTER (WHERE l.credit = 'q:pool:free') AS pool_id
                  FROM unnest(line.merchants, line.stores, line.credits, line.owners, line.gates)
                       l (merchant_id, store_id, credit, owner, gate)
                  WHERE l.credit IN ('q:pool:free', 'q:temp:free') GROUP BY 1, 2) s
            LEFT JOIN LATERAL limits_reach_v1(s.merchant_id, s.store_id, s.gate) r ON true
        )
        SELECT FROM drawn r
        WHERE r.own_free_fen <> 0 OR r.over_fen > 0 OR r.pool_id IS DISTINCT FROM coalesce(r.drawn_from, r.pool_id)
           OR (r.lent AND coalesce(r.room_fen, 1) > 0 AND r.capped IS NOT TRUE)
        UNION ALL
        SELECT FROM (SELECT r.merchant_id, r.pool_id, min(d.at) AS begins, max(d.at) AS ends, min(d.gate) AS gate_fen,
                            count(DISTINCT coalesce(d.gate, -1)) = 1 AS one_gate
                     FROM drawn r JOIN unnest(_merchant, _store, _at, _gate) d (merchant_id, store_id, at, gate)
                         USING (merchant_id, store_id)
                     WHERE r.capped GROUP BY 1, 2) s
        CROSS JOIN LATERAL limits_pool_usable_v1(s.merchant_id, s.pool_id, s.begins, s.gate_fen) u
        CROSS JOIN LATERAL limits_pool_turns_v1(s.merchant_id, s.pool_id, s.begins, s.ends) t
        JOIN drawn r ON r.merchant_id = s.merchant_id AND r.pool_id = s.pool_id AND r.capped
        WHERE NOT s.one_gate OR t.turns OR r.drawn_from IS NOT NULL AND r.pool_used_fen > u.usable_fen
           OR r.lent AND least(r.room_fen, u.usable_fen - r.pool_used_fen) > 0
    ) THEN
        RAISE 'the plan does not hold any more' USING ERRCODE = 'HF203';
    END IF;
END $$;
GRANT EXECUTE ON FUNCTION limits_book_v1 TO houfu_app;
