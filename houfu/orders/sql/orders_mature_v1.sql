-- orders_mature_v1: mature those orders of a batch that are plain, all at once, and leave the rest to be decided one by
-- one. Plain is an order that is named once, is settled, and whose days are over at the instant given (O4).
-- All orders and lots named are locked, the rest included; accounts are the caller's.
-- Returns one row: the places of the `rest` in the arrays, from 0, the digest that seals the events (NULL if there are
-- none), and the sums to be posted, by store.
CREATE FUNCTION orders_mature_v1(_batch uuid, _merchant bigint, _id text[], _at timestamptz[])
RETURNS TABLE (rest integer[], digest bytea, store_id bigint[], net_fen bigint[])
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM orders_order o WHERE o.merchant_id = _merchant AND o.id = ANY (_id) ORDER BY o.id FOR NO KEY UPDATE;
    PERFORM FROM orders_lot l WHERE l.merchant_id = _merchant AND l.id = ANY (_id) ORDER BY l.id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH plain AS MATERIALIZED (
        SELECT s.no, s.id, s.at, o.store_id, l.left_fen
        FROM (SELECT w.*, count(*) OVER (PARTITION BY w.id) AS times
              FROM unnest(_id COLLATE "C", _at) WITH ORDINALITY w (id, at, no)) s
        JOIN orders_order o ON o.merchant_id = _merchant AND o.id = s.id
        JOIN orders_lot l ON l.merchant_id = _merchant AND l.id = s.id
        WHERE s.times = 1 AND o.state = 'settled' AND l.matures_at <= s.at
    ), written AS (
        INSERT INTO orders_event (merchant_id, order_id, verb, batch, no, at, fen)
        SELECT _merchant, p.id, 'matured', _batch, p.no, p.at, p.left_fen FROM plain p
        RETURNING *
    ), order_moved AS (
        UPDATE orders_order o SET state = 'matured' FROM plain p WHERE o.merchant_id = _merchant AND o.id = p.id
    ), lot_moved AS (
        UPDATE orders_lot l SET matured_at = p.at FROM plain p WHERE l.merchant_id = _merchant AND l.id = p.id
    ), total AS (
        SELECT p.store_id, sum(p.left_fen)::bigint AS net FROM plain p GROUP BY 1
    )
    SELECT array(SELECT n - 1 FROM generate_series(1, cardinality(_id)) n WHERE n NOT IN (SELECT p.no FROM plain p)),
           (SELECT orders_seal_v1(array_agg(orders_step_v1(w::orders_event) ORDER BY w.no)) FROM written w),
           array_agg(t.store_id), array_agg(t.net)
    FROM total t;
END $$;
GRANT EXECUTE ON FUNCTION orders_mature_v1 TO houfu_app;
