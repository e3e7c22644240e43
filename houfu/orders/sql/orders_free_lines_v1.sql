-- orders_free_lines_v1: let go of buyers' lines as far as orders have nothing open any more (O5). It looks at the orders
-- themselves, so that it may be called at any time by anybody. An order that was declined holds nothing; of one that
-- is not there the platform alone may say so. Lines are locked in their one order, before what is open is read; orders are the caller's to hold.
-- Returns how many holds are smaller now.
-- Refuses with 42501 (an order of another merchant).
CREATE FUNCTION orders_free_lines_v1(_merchant bigint[], _order text[]) RETURNS TABLE (freed bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    entered CONSTANT bigint := kernel_merchant_v1();
    ended record;
BEGIN
    PERFORM kernel_enter_v1();
    IF entered <> -1 AND EXISTS (SELECT FROM unnest(_merchant) m (id) WHERE m.id <> entered) THEN
        RAISE 'an order of another merchant' USING ERRCODE = '42501';
    END IF;
    PERFORM FROM buyers_line l
    WHERE l.buyer IN (SELECT h.buyer FROM unnest(_merchant, _order) w (merchant_id, id)
                      JOIN buyers_hold h ON (h.of_merchant, h.order_id) = (w.merchant_id, w.id))
    ORDER BY l.buyer FOR NO KEY UPDATE;
    SELECT array_agg(h.buyer) AS buyers, array_agg(h.of_merchant) AS merchants, array_agg(h.order_id) AS orders,
           array_agg(e.open_fen) AS opens, count(*) FILTER (WHERE e.open_fen < h.open_fen) AS freed
    INTO ended
    FROM (SELECT DISTINCT * FROM unnest(_merchant, _order) x (merchant_id, id)) w
    JOIN buyers_hold h ON (h.of_merchant, h.order_id) = (w.merchant_id, w.id)
    LEFT JOIN orders_order o ON (o.merchant_id, o.id) = (w.merchant_id, w.id)
    CROSS JOIN LATERAL (SELECT coalesce(o.open_own_fen + o.open_pool_fen + o.open_temp_fen + o.open_tolerance_fen, 0)
                               AS open_fen) e
    WHERE (o.id IS NOT NULL OR entered = -1) AND (e.open_fen < h.open_fen OR NOT h.known);
    IF ended.buyers IS NOT NULL THEN
        PERFORM buyers_release_v1(ended.buyers, ended.merchants, ended.orders, ended.opens);
    END IF;
    RETURN QUERY SELECT coalesce(ended.freed, 0);
END $$;
GRANT EXECUTE ON FUNCTION orders_free_lines_v1 TO houfu_app;
