-- orders_record_v1: write decided orders, move the quota they stand on, and seal each batch in its merchant's history.
-- `_planned` is whether the legs were found without locks; then they are proved once more after the last lock.
-- Refuses as limits_book_v1 does.
CREATE FUNCTION orders_record_v1(
    _recorded_at timestamptz, _batch uuid[], _batch_merchant bigint[], _batch_actor text[], _batch_policy text[],
    _no integer[], _of integer[], _merchant bigint[], _id text[], _store bigint[], _amount bigint[], _buyer text[],
    _at timestamptz[], _own bigint[], _pool bigint[], _temp bigint[], _tolerance bigint[], _pool_id bigint[],
    _reasons text[], _gate bigint[], _planned boolean
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    sealed record;
    transfers uuid[];
BEGIN
    WITH written AS (
        INSERT INTO orders_order (merchant_id, id, store_id, amount_fen, buyer, authorised_at, batch, no, own_fen,
                                  pool_fen, temp_fen, tolerance_fen, pool_id, reasons, state, open_own_fen,
                                  open_pool_fen, open_temp_fen, open_tolerance_fen)
        SELECT w.merchant_id, w.id, w.store_id, w.amount_fen, w.buyer, w.at, _batch[w.of], w.no, w.own, w.pool, w.temp,
               w.tolerance, w.pool_id, string_to_array(w.reasons, ','),
               CASE WHEN w.reasons IS NULL THEN 'authorised' ELSE 'declined' END, w.own, w.pool, w.temp, w.tolerance
        FROM unnest(_no, _of, _merchant, _id, _store, _amount, _buyer, _at, _own, _pool, _temp, _tolerance, _pool_id,
                    _reasons)
             w (no, of, merchant_id, id, store_id, amount_fen, buyer, at, own, pool, temp, tolerance, pool_id, reasons)
        WHERE w.reasons IS DISTINCT FROM 'store_unknown'
        RETURNING batch, no, orders_line_v1(no, id, store_id, amount_fen, buyer, authorised_at, own_fen, pool_fen,
                                            temp_fen, tolerance_fen, pool_id, reasons) AS line, reasons IS NOT NULL AS declined
    )
    SELECT array_agg(b.merchant_id ORDER BY b.no) AS merchants, array_agg(b.actor ORDER BY b.no) AS actors,
           array_agg('batch/' || b.id ORDER BY b.no) AS subjects,
           array_agg(format('{"declined":%s,"policy":"%s","rows":%s}', s.declined, b.policy, s.rows) ORDER BY b.no) AS details,
           array_agg(s.digest ORDER BY b.no) AS digests
    INTO sealed
    FROM (SELECT w.batch, count(*) FILTER (WHERE w.declined) AS declined, count(*) AS rows,
                 orders_seal_v1(array_agg(w.line ORDER BY w.no)) AS digest
          FROM written w GROUP BY w.batch) s
    JOIN unnest(_batch, _batch_merchant, _batch_actor, _batch_policy) WITH ORDINALITY b (id, merchant_id, actor, policy, no)
        ON b.id = s.batch;
    IF sealed.merchants IS NULL THEN RETURN; END IF;

    SELECT array_agg(_batch[o.of] ORDER BY o.no) INTO transfers FROM unnest(_of) WITH ORDINALITY o (of, no);
    PERFORM limits_book_v1(transfers, _merchant, _store, _at, _own, _pool, _temp, _tolerance, _pool_id, _gate, _planned);

    PERFORM history_append_v1(
        sealed.merchants, array_fill(_recorded_at, ARRAY[cardinality(sealed.merchants)]), sealed.actors,
        array_fill('orders.authorised'::text, ARRAY[cardinality(sealed.merchants)]), sealed.subjects, sealed.details,
        sealed.digests);
END $$;
GRANT EXECUTE ON FUNCTION orders_record_v1 TO houfu_app;
