-- orders_settle_v1: settle those orders of a batch that are plain, all at once, and leave the rest to be decided one by
-- one. Plain is an order that is named once, stands as received or overdue in a store without a loan, and is credited
-- with what its buyer owes. What is refused, repeated, disputed or repays a loan is not plain.
-- All orders and lots named are locked, the rest included, and those on loans of `_lent_to`; accounts are the caller's.
-- `_days` is the n of T+n where the merchant has not agreed another with the channel, and `_logistics` the one under a
-- logistics agreement, where it is the smaller (O4).
-- Returns one row: the places of the `rest` in the arrays, from 0, the digest that seals the events (NULL if there are none),
-- the orders settled that have a buyer, how many they are, and the sums to be posted, by store, pool and channel account.
CREATE FUNCTION orders_settle_v1(
    _batch uuid, _merchant bigint, _settled_by text, _lent_to bigint[], _id text[], _at timestamptz[], _amount bigint[],
    _fee bigint[], _days integer[], _logistics integer[]
) RETURNS TABLE (
    rest integer[], digest bytea, bought text[], store_id bigint[], pool_id bigint[], channel_account_id bigint[], orders bigint[],
    gross_fen bigint[], fee_fen bigint[], own_fen bigint[], pool_fen bigint[], temp_fen bigint[], tolerance_fen bigint[])
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    held text[] := _id;
BEGIN
    IF cardinality(_lent_to) > 0 THEN
        held := held || array(SELECT o.id FROM orders_order o WHERE o.merchant_id = _merchant
                              AND o.store_id = ANY (_lent_to) AND o.open_temp_fen > 0);
    END IF;
    PERFORM FROM orders_order o WHERE o.merchant_id = _merchant AND o.id = ANY (held) ORDER BY o.id FOR NO KEY UPDATE;
    PERFORM FROM orders_lot l WHERE l.merchant_id = _merchant AND l.id = ANY (_id) ORDER BY l.id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH plain AS MATERIALIZED (
        SELECT s.no, s.id, s.at, s.amount, s.fee, s.days, s.logistics, o.store_id, o.pool_id, l.channel_account_id,
               o.buyer IS NOT NULL AS bought,
               o.open_own_fen AS own, o.open_pool_fen AS pool, o.open_temp_fen AS temp, o.open_tolerance_fen AS tolerance
        FROM (SELECT w.*, count(*) OVER (PARTITION BY w.id) AS times
              FROM unnest(_id COLLATE "C", _at, _amount, _fee, _days, _logistics)
                   WITH ORDINALITY w (id, at, amount, fee, days, logistics, no)) s
        JOIN orders_order o ON o.merchant_id = _merchant AND o.id = s.id
        JOIN orders_lot l ON l.merchant_id = _merchant AND l.id = s.id
        WHERE s.times = 1 AND o.state IN ('received', 'overdue') AND o.store_id <> ALL (_lent_to)
          AND l.settled_at IS NULL AND s.amount = l.gross_fen - l.refunded_fen - l.lost_fen
          AND s.fee BETWEEN 0 AND s.amount AND (l.trust <> 'low' OR _settled_by <> 'query')
    ), written AS (
        INSERT INTO orders_event (merchant_id, order_id, verb, ref, batch, no, at, fen, fee_fen, own_fen, pool_fen,
                                  temp_fen, tolerance_fen, note)
        SELECT _merchant, p.id, 'settled', '', _batch, p.no, p.at, p.amount, p.fee, p.own, p.pool, p.temp, p.tolerance,
               _settled_by
        FROM plain p
        RETURNING *
    ), order_moved AS (
        UPDATE orders_order o
        SET state = 'settled', open_own_fen = 0, open_pool_fen = 0, open_temp_fen = 0, open_tolerance_fen = 0
        FROM plain p WHERE o.merchant_id = _merchant AND o.id = p.id
    ), lot_moved AS (
        UPDATE orders_lot l
        SET fee_fen = p.fee, settled_by = _settled_by, settled_at = p.at,
            matures_at = ((p.at AT TIME ZONE 'Asia/Shanghai')::date
                          + CASE WHEN merchants_agreed_v1(_merchant, p.channel_account_id, p.store_id, p.at)
                                 THEN least(coalesce(a.maturity_days, p.days), p.logistics)
                                 ELSE coalesce(a.maturity_days, p.days) END)::timestamp AT TIME ZONE 'Asia/Shanghai'
        FROM plain p JOIN merchants_channel_account a ON a.merchant_id = _merchant AND a.id = p.channel_account_id
        WHERE l.merchant_id = _merchant AND l.id = p.id
    ), total AS (
        SELECT p.store_id, p.pool_id, p.channel_account_id, count(*) AS orders, sum(p.amount)::bigint AS gross,
               sum(p.fee)::bigint AS fee, sum(p.own)::bigint AS own, sum(p.pool)::bigint AS pool,
               sum(p.temp)::bigint AS temp, sum(p.tolerance)::bigint AS tolerance
        FROM plain p GROUP BY 1, 2, 3
    )
    SELECT array(SELECT n - 1 FROM generate_series(1, cardinality(_id)) n WHERE n NOT IN (SELECT p.no FROM plain p)),
           (SELECT orders_seal_v1(array_agg(orders_step_v1(w::orders_event) ORDER BY w.no)) FROM written w),
           array(SELECT p.id FROM plain p WHERE p.bought), array_agg(t.store_id), array_agg(t.pool_id), array_agg(t.channel_account_id), array_agg(t.orders),
           array_agg(t.gross), array_agg(t.fee), array_agg(t.own), array_agg(t.pool), array_agg(t.temp),
           array_agg(t.tolerance)
    FROM total t;
END $$;
GRANT EXECUTE ON FUNCTION orders_settle_v1 TO houfu_app;
