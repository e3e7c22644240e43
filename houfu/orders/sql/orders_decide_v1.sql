-- orders_decide_v1: find what fresh orders stand on, and record it. If every order fits, the rows are written first and
-- the limits taken last, without a lock held between; else one after another is decided under locks. Lines of buyers
-- (O5) are locked before accounts.
-- Returns one row of arrays; `reasons` is NULL where all were authorised.
-- Refuses with: orders_order_once (one of them is decided already), and as orders_record_v1 does.
CREATE FUNCTION orders_decide_v1(
    _recorded_at timestamptz, _batch uuid[], _batch_merchant bigint[], _batch_actor text[], _batch_policy text[],
    _batch_tolerance bigint[], _batch_gate bigint[], _no integer[], _of integer[], _merchant bigint[], _id text[],
    _store bigint[], _amount bigint[], _buyer text[], _at timestamptz[], _key bytea[]
) RETURNS TABLE (own_fen bigint[], pool_fen bigint[], temp_fen bigint[], tolerance_fen bigint[], reasons text[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    none CONSTANT bigint[] := array_fill(0::bigint, ARRAY[cardinality(_id)]);
    bought CONSTANT boolean := cardinality(array_remove(_key, NULL)) > 0;
    l record;
    gates CONSTANT bigint[] := orders_each_v1(_of, _batch_gate);
    lines bytea[]; against text[]; line integer[]; line_free bigint[]; fits boolean;
BEGIN
    IF bought THEN
        SELECT s.buyer, s.fits INTO lines, fits FROM buyers_stand_v1(_merchant, _store, _key, _amount, false) s;
    END IF;
    SELECT p.* INTO l FROM limits_plan_v1(_merchant, _store, _amount, _at, gates) p WHERE fits IS DISTINCT FROM false;
    IF l.own_fen IS NOT NULL THEN
        BEGIN
            PERFORM orders_record_v1(_recorded_at, _batch, _batch_merchant, _batch_actor, _batch_policy, _no, _of,
                _merchant, _id, _store, _amount, _buyer, _at, l.own_fen, l.pool_fen, l.temp_fen, none, l.pool_id,
                array_fill(NULL::text, ARRAY[cardinality(_id)]), gates, true, lines);
            RETURN QUERY SELECT l.own_fen, l.pool_fen, l.temp_fen, none, NULL::text[];
            RETURN;
        EXCEPTION WHEN SQLSTATE 'HF203' OR check_violation THEN
            NULL;  -- somebody else was quicker
        END;
    END IF;
    IF bought THEN
        SELECT s.buyer, s.against, s.line, s.free_fen INTO lines, against, line, line_free
        FROM buyers_stand_v1(_merchant, _store, _key, _amount, true) s;
    END IF;
    SELECT d.* INTO l
    FROM limits_draw_v1(orders_each_v1(_of, _batch_tolerance), _merchant, _store, _amount, _at, gates, against, line,
                        line_free) d;
    PERFORM orders_record_v1(_recorded_at, _batch, _batch_merchant, _batch_actor, _batch_policy, _no, _of, _merchant,
        _id, _store, _amount, _buyer, _at, l.own_fen, l.pool_fen, l.temp_fen, l.tolerance_fen, l.pool_id, l.reasons,
        gates, false, lines);
    RETURN QUERY SELECT l.own_fen, l.pool_fen, l.temp_fen, l.tolerance_fen, l.reasons;
END $$;
GRANT EXECUTE ON FUNCTION orders_decide_v1 TO houfu_app;
