-- orders_split_v1: give parts of settled lots to parties (L8), or take them in again where `_amount` is below
-- zero. Lots are locked in one order.
-- Returns the account of each lot's store that holds what is left of it, in the order given.
-- Refuses with: orders_lot_allocated_within_net (less is left of one), orders_lot_only_settled_is_split.
CREATE FUNCTION orders_split_v1(_merchant bigint, _id text[], _amount bigint[])
    RETURNS TABLE (claim text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM orders_lot l WHERE l.merchant_id = _merchant AND l.id = ANY (_id) ORDER BY l.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH moved AS (
        UPDATE orders_lot l SET split_fen = l.split_fen + p.fen
        FROM unnest(_id, _amount) WITH ORDINALITY p (id, fen, no)
        WHERE l.merchant_id = _merchant AND l.id = p.id
        RETURNING p.no, l.matured_at
    )
    SELECT CASE WHEN m.matured_at IS NULL THEN 'claim:settled' ELSE 'claim:matured' END FROM moved m ORDER BY m.no;
END $$;
GRANT EXECUTE ON FUNCTION orders_split_v1 TO houfu_app;
