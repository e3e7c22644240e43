-- buyers_find_v1: which orders are of a buyer who has a line, and whether their store must refuse it: with sharing off
-- it takes none that was granted elsewhere (O5). A key names a buyer's id; with the store's channel it names the buyer.
CREATE FUNCTION buyers_find_v1(_merchant bigint[], _store bigint[], _key bytea[])
    RETURNS TABLE (no bigint, buyer bytea, elsewhere boolean) LANGUAGE sql STABLE BEGIN ATOMIC
    SELECT o.no, l.buyer, NOT s.sharing AND (l.by_merchant, l.by_store) IS DISTINCT FROM (s.merchant_id, s.id)
    FROM unnest(_merchant, _store, _key) WITH ORDINALITY o (merchant_id, store_id, key, no)
    JOIN merchants_store s ON s.merchant_id = o.merchant_id AND s.id = o.store_id
    JOIN merchants_channel_account a ON a.merchant_id = s.merchant_id AND a.id = s.channel_account_id
    JOIN buyers_line l ON l.buyer = sha256(o.key || convert_to(a.channel, 'UTF8'))
    WHERE o.key IS NOT NULL;
END;

-- buyers_stand_v1: what orders have of their buyers' lines, in one row of arrays; no row while nobody at all has a line.
-- Of each order: `buyer` and the place of the line in `free_fen` (NULL where it draws on none), and the reason `against`
-- it that is known beforehand. Of each line: what is left of it. `fits` is whether all orders fit together.
-- With `_hold` the lines are locked first, in their one order, and what is told holds until the commit.
CREATE FUNCTION buyers_stand_v1(_merchant bigint[], _store bigint[], _key bytea[], _amount bigint[], _hold boolean)
    RETURNS TABLE (buyer bytea[], against text[], line integer[], free_fen bigint[], fits boolean)
    LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    held bytea[];
BEGIN
    IF NOT EXISTS (SELECT FROM buyers_line) THEN RETURN; END IF;
    IF _hold THEN
        SELECT array_agg(DISTINCT f.buyer) INTO held FROM buyers_find_v1(_merchant, _store, _key) f;
        PERFORM FROM buyers_line l WHERE l.buyer = ANY (held) ORDER BY l.buyer FOR NO KEY UPDATE;
    END IF;
    RETURN QUERY
    WITH found AS MATERIALIZED (
        SELECT f.* FROM buyers_find_v1(_merchant, _store, _key) f WHERE NOT _hold OR f.buyer = ANY (held)
    ), stands AS MATERIALIZED (
        SELECT l.buyer, l.limit_fen - l.held_fen AS free_fen, w.asked_fen,
               (row_number() OVER (ORDER BY l.buyer))::integer AS place
        FROM (SELECT f.buyer, sum(_amount[f.no]) AS asked_fen FROM found f WHERE NOT f.elsewhere GROUP BY 1) w
        JOIN buyers_line l USING (buyer)
    )
    SELECT array_agg(s.buyer ORDER BY o.no),
           array_agg(CASE WHEN f.elsewhere THEN 'buyer_line_elsewhere' END ORDER BY o.no),
           array_agg(s.place ORDER BY o.no),
           (SELECT array_agg(s.free_fen ORDER BY s.place) FROM stands s),
           NOT coalesce(bool_or(f.elsewhere), false) AND NOT EXISTS (SELECT FROM stands s WHERE s.asked_fen > s.free_fen)
    FROM unnest(_amount) WITH ORDINALITY o (amount_fen, no)
    LEFT JOIN found f USING (no)
    LEFT JOIN stands s ON s.buyer = f.buyer AND NOT f.elsewhere;
END $$;
