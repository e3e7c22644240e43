-- buyers_hold_v1: let orders hold their buyers' lines. Keyed by buyer alone, so that it can be a call of its own where
-- buyers live on other nodes than merchants: with `_known` false it comes before the order is decided, and is let go of
-- once it was refused, or by the sweep. An order that holds already is left as it is.
-- Refuses with buyers_line_limit (a line has less left than that; nothing was held).
CREATE FUNCTION buyers_hold_v1(
    _buyer bytea[], _merchant bigint[], _order text[], _amount bigint[], _at timestamptz, _known boolean
) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
    SET enable_bitmapscan = off AS $$
BEGIN
    PERFORM FROM buyers_line l WHERE l.buyer = ANY (_buyer) ORDER BY l.buyer FOR NO KEY UPDATE;
    WITH fresh AS (
        INSERT INTO buyers_hold (buyer, of_merchant, order_id, amount_fen, open_fen, known, held_at)
        SELECT w.buyer, w.merchant, w.id, w.fen, w.fen, _known, _at
        FROM unnest(_buyer, _merchant, _order, _amount) w (buyer, merchant, id, fen)
        ON CONFLICT DO NOTHING RETURNING buyer, amount_fen
    )
    UPDATE buyers_line l SET held_fen = l.held_fen + f.fen
    FROM (SELECT buyer, sum(amount_fen)::bigint AS fen FROM fresh GROUP BY 1) f WHERE l.buyer = f.buyer;
END $$;

-- buyers_release_v1: let go of lines as far as orders have less open than they hold; nothing is ever held anew.
CREATE FUNCTION buyers_release_v1(_buyer bytea[], _merchant bigint[], _order text[], _open bigint[])
    RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
    SET enable_bitmapscan = off AS $$
BEGIN
    PERFORM FROM buyers_line l WHERE l.buyer = ANY (_buyer) ORDER BY l.buyer FOR NO KEY UPDATE;
    WITH moved AS (
        UPDATE buyers_hold h SET open_fen = w.open_fen, known = true
        FROM (SELECT b.buyer, b.of_merchant, b.order_id, b.open_fen AS before_fen, least(b.open_fen, x.fen) AS open_fen
              FROM unnest(_buyer, _merchant, _order, _open) x (buyer, merchant, id, fen)
              JOIN buyers_hold b ON (b.buyer, b.of_merchant, b.order_id) = (x.buyer, x.merchant, x.id)) w
        WHERE (h.buyer, h.of_merchant, h.order_id) = (w.buyer, w.of_merchant, w.order_id)
        RETURNING h.buyer, w.before_fen - w.open_fen AS freed_fen
    )
    UPDATE buyers_line l
    SET held_fen = l.held_fen - m.fen, over_fen = least(l.over_fen, greatest(l.held_fen - m.fen - l.limit_fen, 0))
    FROM (SELECT buyer, sum(freed_fen)::bigint AS fen FROM moved GROUP BY 1) m WHERE l.buyer = m.buyer AND m.fen > 0;
END $$;
