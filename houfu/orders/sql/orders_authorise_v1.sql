-- orders_authorise_v1: decide new orders, in the order given, and record each decision. Orders come in batches, each
-- of one merchant, actor and policy; a call may mix batches, and `_of` says to which an order belongs.
-- An id that was decided before gets its first answer again (`repeated`); with other content it is refused as
-- order_id_reused. An order of a store that does not exist is refused as store_unknown; neither leaves a row.
-- If every order fits, the rows are written first and the limits taken last; else one after another is decided under
-- locks. Both ways give the same answers.
-- `_key` names each order's buyer to the room of buyers; it is empty where no order has one, or no buyer a line.
-- One link of a merchant's history seals the rows of a batch, so nothing may be locked after this in the action.
-- Returns one row of arrays; `reasons` has commas between several. Where all are authorised now and stand on own limit,
-- pool and loan alone, `state` and what would say no more are NULL.
-- `_packs` are the digests of all policy packs by which the caller knows what is in force, the earliest first.
-- Refuses with: HF204 (there are other packs by now: look, and call again), HF205 (buyers have lines: bring keys),
--               orders_order_once (another call decided one of these ids meanwhile; call again), orders_order_id_form,
--               orders_order_amount, orders_order_buyer_form.
CREATE FUNCTION orders_authorise_v1(
    _recorded_at timestamptz, _packs bytea[], _batch uuid[], _batch_merchant bigint[], _batch_actor text[],
    _batch_policy text[], _batch_tolerance bigint[], _batch_gate bigint[], _of integer[], _id text[], _store bigint[],
    _amount bigint[], _buyer text[], _at timestamptz[], _key bytea[]
) RETURNS TABLE (state text[], repeated boolean[], own_fen bigint[], pool_fen bigint[], temp_fen bigint[],
                 tolerance_fen bigint[], reasons text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    count CONSTANT integer := cardinality(_id);
    merchants CONSTANT bigint[] := orders_each_v1(_of, _batch_merchant);
    l record;
    all_fit boolean := false;
    -- The columns of what is fresh: the first of each id that is not decided yet. At first all are taken for fresh.
    fresh integer[]; f_of integer[] := _of; f_merchant bigint[] := merchants; f_id text[] := _id; f_store bigint[] := _store;
    f_amount bigint[] := _amount; f_buyer text[] := _buyer; f_at timestamptz[] := _at;
    f_key bytea[] := _key;
BEGIN
    PERFORM kernel_enter_v1();
    IF (SELECT array_agg(p.digest ORDER BY p.effective_from) FROM policies_pack p) IS DISTINCT FROM _packs THEN
        RAISE 'a policy pack was added' USING ERRCODE = 'HF204';
    END IF;
    IF cardinality(_key) = 0 AND array_remove(_buyer, NULL) <> '{}' THEN
        IF EXISTS (SELECT FROM buyers_line) THEN RAISE 'buyers have lines' USING ERRCODE = 'HF205'; END IF;
    END IF;
    fresh := ARRAY(SELECT n FROM generate_series(1, count) n);
    FOR attempt IN 1 .. 2 LOOP
        BEGIN
            SELECT r.* INTO l FROM orders_decide_v1(
                _recorded_at, _batch, _batch_merchant, _batch_actor, _batch_policy, _batch_tolerance, _batch_gate,
                fresh, f_of, f_merchant, f_id, f_store, f_amount, f_buyer, f_at, f_key) r;
            all_fit := attempt = 1 AND l.reasons IS NULL;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF attempt = 2 THEN RAISE; END IF;
            SELECT coalesce(array_agg(w.no ORDER BY w.no), '{}') INTO fresh
            FROM (SELECT min(x.no)::integer AS no
                  FROM unnest(merchants, _id) WITH ORDINALITY x (merchant_id, id, no)
                  WHERE NOT EXISTS (SELECT FROM orders_order o WHERE o.merchant_id = x.merchant_id AND o.id = x.id)
                  GROUP BY x.merchant_id, x.id) w;
            EXIT WHEN cardinality(fresh) = 0;
            SELECT array_agg(x.of ORDER BY x.no), array_agg(x.merchant_id ORDER BY x.no), array_agg(x.id ORDER BY x.no),
                   array_agg(x.store_id ORDER BY x.no), array_agg(x.amount_fen ORDER BY x.no),
                   array_agg(x.buyer ORDER BY x.no), array_agg(x.at ORDER BY x.no),
                   array_agg(x.key ORDER BY x.no)
            INTO f_of, f_merchant, f_id, f_store, f_amount, f_buyer, f_at, f_key
            FROM unnest(_of, merchants, _id, _store, _amount, _buyer, _at, _key) WITH ORDINALITY
                 x (of, merchant_id, id, store_id, amount_fen, buyer, at, key, no)
            WHERE x.no = ANY (fresh);
        END;
    END LOOP;
    IF all_fit THEN
        own_fen := l.own_fen; pool_fen := l.pool_fen; temp_fen := l.temp_fen;
        RETURN NEXT; RETURN;
    END IF;

    RETURN QUERY
    SELECT array_agg(CASE WHEN d.refused IS NULL THEN d.state ELSE 'refused' END ORDER BY d.no),
           array_agg(d.repeated ORDER BY d.no), array_agg(coalesce(d.own_fen, 0) ORDER BY d.no),
           array_agg(coalesce(d.pool_fen, 0) ORDER BY d.no), array_agg(coalesce(d.temp_fen, 0) ORDER BY d.no),
           array_agg(coalesce(d.tolerance_fen, 0) ORDER BY d.no),
           array_agg(coalesce(d.refused, array_to_string(d.reasons, ',')) ORDER BY d.no)
    FROM (SELECT x.no, o.state, o.own_fen, o.pool_fen, o.temp_fen, o.tolerance_fen, o.reasons,
                 o.id IS NOT NULL AND NOT (o.batch = _batch[x.of] AND o.no = x.no) AS repeated,
                 CASE WHEN o.id IS NULL THEN 'store_unknown'
                      WHEN (o.store_id, o.amount_fen, coalesce(o.buyer, ''))
                           <> (x.store_id, x.amount_fen, coalesce(x.buyer, '')) THEN 'order_id_reused' END AS refused
          FROM unnest(_of, merchants, _id, _store, _amount, _buyer) WITH ORDINALITY
               x (of, merchant_id, id, store_id, amount_fen, buyer, no)
          LEFT JOIN orders_order o ON o.merchant_id = x.merchant_id AND o.id = x.id) d;
END $$;
GRANT EXECUTE ON FUNCTION orders_authorise_v1 TO houfu_app;
