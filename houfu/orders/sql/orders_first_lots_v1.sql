-- orders_first_lots_v1: the lots from which amounts would be taken, oldest first, and how much of each. A store stands
-- for itself once in the arrays. Where a store has less left, the parts add up to less.
CREATE FUNCTION orders_first_lots_v1(_merchant bigint[], _store bigint[], _amount bigint[])
    RETURNS TABLE (no bigint, merchant_id bigint, id text, amount_fen bigint) LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT w.no, l.merchant_id, l.id, least(l.left_fen, w.amount_fen - l.before_fen)::bigint
    FROM unnest(_merchant, _store, _amount) WITH ORDINALITY w (merchant_id, store_id, amount_fen, no)
    CROSS JOIN LATERAL (
        SELECT x.merchant_id, x.id, x.left_fen,
               sum(x.left_fen) OVER (ORDER BY x.matured_at, x.id) - x.left_fen AS before_fen
        FROM orders_lot x
        WHERE x.merchant_id = w.merchant_id AND x.store_id = w.store_id AND x.matured_at IS NOT NULL AND x.left_fen > 0
    ) l
    WHERE l.before_fen < w.amount_fen;
END;
GRANT EXECUTE ON FUNCTION orders_first_lots_v1 TO houfu_app;
