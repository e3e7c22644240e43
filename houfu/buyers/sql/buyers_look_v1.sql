-- buyers_platform_v1: refuse whoever is not the platform's; for functions that have said kernel_enter_v1.
CREATE FUNCTION buyers_platform_v1() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('houfu.entered') <> '-1' THEN
        RAISE 'buyer lines are the platform''s to see' USING ERRCODE = '42501';
    END IF;
END $$;

-- buyers_look_v1: a buyer's line with all scores that were heard of, the latest first. For the platform alone.
CREATE FUNCTION buyers_look_v1(_buyer bytea)
    RETURNS TABLE (limit_fen bigint, held_fen bigint, by_merchant bigint, by_store bigint, open_orders bigint,
                   scores integer[], scored_at timestamptz[], sources text[], refs text[], limits_fen bigint[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM kernel_enter_v1();
    PERFORM buyers_platform_v1();
    RETURN QUERY
    SELECT l.limit_fen, l.held_fen, l.by_merchant, l.by_store,
           (SELECT count(*) FROM buyers_hold h WHERE h.buyer = l.buyer AND h.open_fen > 0), s.*
    FROM buyers_line l
    CROSS JOIN LATERAL (
        SELECT array_agg(x.score ORDER BY x.scored_at DESC), array_agg(x.scored_at ORDER BY x.scored_at DESC),
               array_agg(x.source ORDER BY x.scored_at DESC), array_agg(x.ref ORDER BY x.scored_at DESC),
               array_agg(x.limit_fen ORDER BY x.scored_at DESC)
        FROM buyers_score x WHERE x.buyer = l.buyer) s
    WHERE l.buyer = _buyer;
END $$;
GRANT EXECUTE ON FUNCTION buyers_look_v1 TO houfu_app;

-- buyers_unknown_v1: orders for which a line was held before an instant, and of which nobody has said since what was
-- decided. For the platform alone.
CREATE FUNCTION buyers_unknown_v1(_before timestamptz, _limit integer)
    RETURNS TABLE (merchant_id bigint, order_id text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM kernel_enter_v1();
    PERFORM buyers_platform_v1();
    RETURN QUERY SELECT h.of_merchant, h.order_id FROM buyers_hold h
    WHERE NOT h.known AND h.held_at < _before ORDER BY h.held_at LIMIT _limit;
END $$;
GRANT EXECUTE ON FUNCTION buyers_unknown_v1 TO houfu_app;
