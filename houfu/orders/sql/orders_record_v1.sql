-- orders_record_v1: write decided orders, move the quota they stand on, and seal each batch in its merchant's history.
-- `_planned` is whether the legs were found without locks; then they are proved once more after the last lock.
-- `_line` is the buyer's line that an order holds, if any.
-- Refuses as buyers_hold_v1 and limits_book_v1 do.
CREATE FUNCTION orders_record_v1(
    _recorded_at timestamptz, _batch uuid[], _batch_merchant bigint[], _batch_actor text[], _batch_policy text[],
    _no integer[], _of integer[], _merchant bigint[], _id text[], _store bigint[], _amount bigint[], _buyer text[],
    _at timestamptz[], _own bigint[], _pool bigint[], _temp bigint[], _tolerance bigint[], _pool_id bigint[],
    _reasons text[], _gate bigint[], _planned boolean, _line bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    transfers CONSTANT uuid[] := orders_each_v1(_of, _batch);
    sealed record;
BEGIN
    INSERT INTO orders_order (merchant_id, id, store_id, amount_fen, buyer, authorised_at, batch, no, own_fen, pool_fen,
                              temp_fen, tolerance_fen, pool_id, reasons, state, open_own_fen, open_pool_fen,
                              open_temp_fen, open_tolerance_fen)
    SELECT _merchant[n], _id[n], _store[n], _amount[n], _buyer[n], _at[n], transfers[n], _no[n], _own[n], _pool[n],
           _temp[n], _tolerance[n], _pool_id[n], string_to_array(_reasons[n], ','),
           CASE WHEN _reasons[n] IS NULL THEN 'authorised' ELSE 'declined' END, _own[n], _pool[n], _temp[n], _tolerance[n]
    FROM (SELECT n FROM generate_series(1, cardinality(_id)) n ORDER BY _merchant[n], n) o
    WHERE _reasons[n] IS DISTINCT FROM 'store_unknown';
    IF NOT FOUND THEN RETURN; END IF;
    SELECT array_agg(_batch_merchant[s.of]) AS merchants, array_agg(_batch_actor[s.of]) AS actors,
           array_agg('batch/' || _batch[s.of]) AS subjects,
           array_agg(format('{"declined":%s,"policy":"%s","rows":%s}', s.declined, _batch_policy[s.of], s.rows)) AS details,
           array_agg(s.digest) AS digests
    INTO sealed
    FROM (SELECT _of[n] AS of, count(_reasons[n]) AS declined, count(*) AS rows,
                 orders_seal_v1(array_agg(orders_line_v1(_no[n], _id[n], _store[n], _amount[n], _buyer[n], _at[n], _own[n],
                     _pool[n], _temp[n], _tolerance[n], _pool_id[n], _reasons[n]) ORDER BY _no[n])) AS digest
          FROM generate_series(1, cardinality(_id)) n
          WHERE _reasons[n] IS DISTINCT FROM 'store_unknown' GROUP BY _of[n] ORDER BY _of[n]) s;  -- links in this order

    IF cardinality(array_remove(_line, NULL)) > 0 THEN
        PERFORM buyers_hold_v1(array_agg(w.line), array_agg(w.merchant_id), array_agg(w.id), array_agg(w.fen),
                               _recorded_at, true)
        FROM unnest(_line, _merchant, _id, _amount, _reasons) w (line, merchant_id, id, fen, reasons)
        WHERE w.line IS NOT NULL AND w.reasons IS NULL HAVING count(*) > 0;
    END IF;

    PERFORM limits_book_v1(transfers, _merchant, _store, _at, _own, _pool, _temp, _tolerance, _pool_id, _gate, _planned);

    PERFORM history_append_v1(
        sealed.merchants, array_fill(_recorded_at, ARRAY[cardinality(sealed.merchants)]), sealed.actors,
        array_fill('orders.authorised'::text, ARRAY[cardinality(sealed.merchants)]), sealed.subjects, sealed.details,
        sealed.digests);
END $$;
GRANT EXECUTE ON FUNCTION orders_record_v1 TO houfu_app;
