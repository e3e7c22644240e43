-- orders_allocate_v1: take amounts from stores' matured lots, oldest first (FIFO, W2), a row for each part taken.
-- Rows name their merchant. Lots are locked in one order after a first look, then looked at again.
-- Refuses with: HF301 (a store has less than that left), 40001 (its lots changed meanwhile; the action runs again).
CREATE FUNCTION orders_allocate_v1(_merchant bigint[], _store bigint[], _amount bigint[])
    RETURNS TABLE (no bigint, id text, amount_fen bigint, generation integer) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    lot_merchant bigint[];
    lot_id text[];
BEGIN
    SELECT array_agg(f.merchant_id), array_agg(f.id) INTO lot_merchant, lot_id
    FROM orders_first_lots_v1(_merchant, _store, _amount) f;
    PERFORM FROM orders_lot l WHERE (l.merchant_id, l.id) IN (SELECT * FROM unnest(lot_merchant, lot_id))
    ORDER BY l.merchant_id, l.id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM orders_first_lots_v1(_merchant, _store, _amount) f
               WHERE (f.merchant_id, f.id) NOT IN (SELECT * FROM unnest(lot_merchant, lot_id))) THEN
        RAISE 'the lots changed meanwhile' USING ERRCODE = '40001';
    END IF;
    IF EXISTS (SELECT FROM unnest(_amount) WITH ORDINALITY w (amount_fen, no)
               LEFT JOIN (SELECT f.no, sum(f.amount_fen) AS amount_fen
                          FROM orders_first_lots_v1(_merchant, _store, _amount) f GROUP BY f.no) g USING (no)
               WHERE coalesce(g.amount_fen, 0) <> w.amount_fen) THEN
        RAISE 'a store has less than that left' USING ERRCODE = 'HF301';
    END IF;
    RETURN QUERY
    WITH part AS MATERIALIZED (
        SELECT f.no, f.merchant_id, f.id, f.amount_fen FROM orders_first_lots_v1(_merchant, _store, _amount) f
    ), taken AS (
        UPDATE orders_lot l SET allocated_fen = l.allocated_fen + p.amount_fen
        FROM part p WHERE l.merchant_id = p.merchant_id AND l.id = p.id
        RETURNING l.merchant_id, l.id, l.generation
    )
    SELECT p.no, p.id, p.amount_fen, t.generation
    FROM part p JOIN taken t USING (merchant_id, id) ORDER BY p.no, p.id;
END $$;
GRANT EXECUTE ON FUNCTION orders_allocate_v1 TO houfu_app;
