-- orders_authorise_v1: decide a batch of new orders, in the order given, and record each decision.
-- An id that was decided before gets its first answer again (`repeated`); with other content it is refused as
-- order_id_reused. An order of a store that does not exist is refused as store_unknown; neither leaves a row.
-- One link of each merchant's history seals its rows of the batch, so nothing may be locked after this in the action.
-- Refuses with: orders_order_once (another batch decided one of these ids meanwhile; call again),
--               orders_order_id_form, orders_order_amount, orders_order_buyer_form.
CREATE FUNCTION orders_authorise_v1(
    _batch uuid, _actor text, _policy text, _tolerance_permille bigint, _recorded_at timestamptz,
    _merchant bigint[], _id text[], _store bigint[], _amount bigint[], _buyer text[], _at timestamptz[]
) RETURNS TABLE (no bigint, state text, repeated boolean, own_fen bigint, pool_fen bigint, temp_fen bigint,
                 tolerance_fen bigint, reasons text[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    fresh bigint[];
    drawn record;
BEGIN
    -- The first of each id that is not decided yet; the rest are repetitions.
    SELECT coalesce(array_agg(w.no ORDER BY w.no), '{}') INTO fresh
    FROM (SELECT min(x.no) AS no
          FROM unnest(_merchant, _id) WITH ORDINALITY x (merchant_id, id, no)
          WHERE NOT EXISTS (SELECT FROM orders_order o WHERE o.merchant_id = x.merchant_id AND o.id = x.id)
          GROUP BY x.merchant_id, x.id) w;

    WITH demand AS (
        SELECT row_number() OVER (ORDER BY f.no) AS no, f.no AS batch_no, _merchant[f.no] AS merchant_id, _store[f.no] AS store_id,
               _amount[f.no] AS amount_fen, _at[f.no] AS at
        FROM unnest(fresh) f (no)
    ), decided AS (
        SELECT d.*
        FROM (SELECT array_agg(merchant_id ORDER BY no) AS m, array_agg(store_id ORDER BY no) AS s,
                     array_agg(amount_fen ORDER BY no) AS a, array_agg(at ORDER BY no) AS t
              FROM demand HAVING count(*) > 0) x,
             limits_draw_v1(_batch, 'orders.authorised', _tolerance_permille, x.m, x.s, x.a, x.t) d
    )
    INSERT INTO orders_order (merchant_id, id, store_id, amount_fen, buyer, authorised_at, batch, no, own_fen, pool_fen,
                              temp_fen, tolerance_fen, pool_id, reasons, state, open_own_fen, open_pool_fen,
                              open_temp_fen, open_tolerance_fen)
    SELECT w.merchant_id, _id[w.batch_no], w.store_id, w.amount_fen, _buyer[w.batch_no], w.at, _batch, w.batch_no,
           d.own_fen, d.pool_fen, d.temp_fen, d.tolerance_fen, d.pool_id, d.reasons,
           CASE WHEN d.reasons IS NULL THEN 'authorised' ELSE 'declined' END,
           d.own_fen, d.pool_fen, d.temp_fen, d.tolerance_fen
    FROM demand w JOIN decided d USING (no)
    WHERE d.reasons IS NULL OR d.reasons <> ARRAY['store_unknown'];

    PERFORM history_append_v1(
        array_agg(h.merchant_id), array_agg(_recorded_at), array_agg(_actor), array_agg('orders.authorised'::text),
        array_agg('batch/' || _batch), array_agg(h.detail), array_agg(h.digest))
    FROM (SELECT o.merchant_id,
                 format('{"declined":%s,"policy":"%s","rows":%s}', count(o.reasons), _policy, count(*)) AS detail,
                 orders_seal_v1(array_agg(orders_decision_v1(o) ORDER BY o.no)) AS digest
          FROM unnest(fresh) f (no) JOIN orders_order o ON o.merchant_id = _merchant[f.no] AND o.id = _id[f.no]
          GROUP BY o.merchant_id ORDER BY o.merchant_id) h
    HAVING count(*) > 0;

    RETURN QUERY
    SELECT x.no,
           CASE WHEN o.id IS NULL THEN 'refused'
                WHEN (o.store_id, o.amount_fen, coalesce(o.buyer, '')) <> (x.store_id, x.amount_fen, coalesce(x.buyer, ''))
                THEN 'refused' ELSE o.state END,
           o.id IS NOT NULL AND NOT (o.batch = _batch AND o.no = x.no),
           o.own_fen, o.pool_fen, o.temp_fen, o.tolerance_fen,
           CASE WHEN o.id IS NULL THEN ARRAY['store_unknown']
                WHEN (o.store_id, o.amount_fen, coalesce(o.buyer, '')) <> (x.store_id, x.amount_fen, coalesce(x.buyer, ''))
                THEN ARRAY['order_id_reused'] ELSE o.reasons END
    FROM unnest(_merchant, _id, _store, _amount, _buyer) WITH ORDINALITY x (merchant_id, id, store_id, amount_fen, buyer, no)
    LEFT JOIN orders_order o ON o.merchant_id = x.merchant_id AND o.id = x.id
    ORDER BY x.no;
END $$;
GRANT EXECUTE ON FUNCTION orders_authorise_v1 TO houfu_app;
