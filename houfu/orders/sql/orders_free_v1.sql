-- orders_free_v1: give parts back to their lots; `_generations` is added to each lot's generation.
CREATE FUNCTION orders_free_v1(_merchant bigint, _id text[], _amount bigint[], _generations integer)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM orders_lot l WHERE l.merchant_id = _merchant AND l.id = ANY (_id) ORDER BY l.id FOR NO KEY UPDATE;
    UPDATE orders_lot l SET allocated_fen = l.allocated_fen - p.fen, generation = l.generation + _generations
    FROM unnest(_id, _amount) p (id, fen) WHERE l.merchant_id = _merchant AND l.id = p.id;
END $$;
GRANT EXECUTE ON FUNCTION orders_free_v1 TO houfu_app;
