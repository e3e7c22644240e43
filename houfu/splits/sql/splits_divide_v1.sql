-- splits_shares_v1: divide amounts by shares, exactly (I-04). Shares per mille get together what all their per mille come
-- to, rounded down once; what rounding each of them leaves goes to the largest remainders, the earlier place first. A
-- fixed share gets its amount. `_of` says to which amount a share belongs, counted from 1; shares stand in their order.
CREATE FUNCTION splits_shares_v1(_net bigint[], _of integer[], _permille integer[], _fixed bigint[])
    RETURNS TABLE (no bigint, fen bigint) LANGUAGE sql IMMUTABLE BEGIN ATOMIC
    WITH share AS (
        SELECT s.no, s.of, s.fixed, _net[s.of] * s.permille / 1000 AS down,
               sum(s.permille) OVER w * _net[s.of] / 1000 - sum(_net[s.of] * s.permille / 1000) OVER w AS left_over,
               row_number() OVER (PARTITION BY s.of, s.fixed IS NULL ORDER BY _net[s.of] * s.permille % 1000 DESC, s.no) AS rank
        FROM unnest(_of, _permille, _fixed) WITH ORDINALITY s (of, permille, fixed, no)
        WINDOW w AS (PARTITION BY s.of)
    )
    SELECT share.no, coalesce(share.fixed, share.down + CASE WHEN share.rank <= share.left_over THEN 1 ELSE 0 END)
    FROM share ORDER BY share.no;
END;

-- splits_divide_v1: divide the net of orders that were settled just now by the rules in force at their instants, all at
-- once. Orders of stores without a rule, or with one that names nobody, are left alone. Lots are the caller's; so is
-- moving the money.
-- `_permille` is the policy's cap at each instant, `_denied` the purposes that nobody may get money for (P8), `_together`
-- how many receivers a channel takes in one call. Shares are given in the order of the rule, and none beyond the cap.
-- Returns one row: the digest that seals the divisions (NULL if there are none), how many they are, what each order gave,
-- and the sums to be posted, by store and party.
-- Refuses with splits_division_once (one of them was divided before).
CREATE FUNCTION splits_divide_v1(
    _batch uuid, _merchant bigint, _id text[], _at timestamptz[], _permille integer[], _denied text[], _together integer,
    _now timestamptz
) RETURNS TABLE (digest bytea, divisions bigint, order_id text[], order_fen bigint[], store_id bigint[], party_id bigint[],
                 party_fen bigint[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH sold AS MATERIALIZED (
        SELECT w.no, w.id, w.at, l.store_id, l.channel_account_id, r.id AS rule_id,
               l.gross_fen - l.fee_fen - l.refunded_fen - l.lost_fen AS net_fen,
               least(w.permille, coalesce(c.permille, 0)) AS cap,
               CASE WHEN s.state <> 'active' THEN 'store_not_active'
                    WHEN o.state <> 'settled' THEN 'order_disputed'
                    WHEN d.balance_fen > 0 THEN 'store_in_deficit'
                    WHEN c.permille IS NULL THEN 'cap_unknown' END AS reason
        FROM unnest(_id COLLATE "C", _at, _permille) WITH ORDINALITY w (id, at, permille, no)
        JOIN orders_lot l ON l.merchant_id = _merchant AND l.id = w.id
        JOIN orders_order o ON o.merchant_id = _merchant AND o.id = w.id
        JOIN merchants_store s ON s.merchant_id = _merchant AND s.id = l.store_id
        LEFT JOIN splits_cap c ON c.merchant_id = _merchant AND c.channel_account_id = l.channel_account_id
        LEFT JOIN ledger_account d ON (d.merchant_id, d.kind, d.owner) = (_merchant, 'deficit', l.store_id)
        CROSS JOIN LATERAL (
            SELECT x.id FROM splits_rule x
            WHERE x.merchant_id = _merchant AND x.store_id = l.store_id AND x.state = 'approved' AND x.begins_at <= w.at
            ORDER BY x.begins_at DESC, x.id DESC LIMIT 1) r
        WHERE EXISTS (SELECT FROM splits_share h WHERE h.merchant_id = _merchant AND h.rule_id = r.id)
    ), wanted AS MATERIALIZED (
        SELECT row_number() OVER (ORDER BY o.no, h.place) AS n, dense_rank() OVER (ORDER BY o.no)::integer AS of,
               o.no, o.id, o.net_fen, o.cap, h.place, h.party_id, h.permille, h.fixed_fen,
               CASE WHEN p.state <> 'confirmed' THEN 'party_not_confirmed'
                    WHEN p.purpose_class = ANY (_denied) THEN 'purpose_denied'
                    WHEN (o.at AT TIME ZONE 'Asia/Shanghai')::date < p.valid_from THEN 'contract_not_begun'
                    WHEN (o.at AT TIME ZONE 'Asia/Shanghai')::date > p.valid_until THEN 'contract_expired'
                    WHEN b.state IS DISTINCT FROM 'bound' THEN 'party_unbound' END AS reason
        FROM sold o
        JOIN splits_share h ON h.merchant_id = _merchant AND h.rule_id = o.rule_id
        JOIN splits_party p ON p.merchant_id = _merchant AND p.id = h.party_id
        LEFT JOIN splits_binding b ON (b.merchant_id, b.party_id, b.channel_account_id)
                                      = (_merchant, h.party_id, o.channel_account_id)
        WHERE o.reason IS NULL
    ), shared AS MATERIALIZED (
        SELECT f.no AS n, f.fen
        FROM (SELECT (SELECT array_agg(x.net_fen ORDER BY x.no) FROM (SELECT DISTINCT no, net_fen FROM wanted) x) AS nets,
                     array_agg(w.of ORDER BY w.n) AS ofs, array_agg(w.permille::integer ORDER BY w.n) AS permilles,
                     array_agg(w.fixed_fen ORDER BY w.n) AS fixeds FROM wanted w) a
        CROSS JOIN LATERAL splits_shares_v1(a.nets, a.ofs, a.permilles, a.fixeds) f
    ), judged AS MATERIALIZED (
        SELECT w.*, f.fen,
               CASE WHEN w.reason IS NOT NULL THEN w.reason
                    WHEN f.fen = 0 THEN 'share_of_nothing'
                    WHEN sum(f.fen) FILTER (WHERE w.reason IS NULL) OVER (PARTITION BY w.no ORDER BY w.place)
                         > w.net_fen * w.cap / 1000 THEN 'beyond_cap' END AS kept_for
        FROM wanted w JOIN shared f USING (n)
    ), given AS MATERIALIZED (
        SELECT j.id, j.party_id, j.fen, (row_number() OVER (PARTITION BY j.id ORDER BY j.place) - 1)::integer AS nth
        FROM judged j WHERE j.kept_for IS NULL
    ), division AS (
        INSERT INTO splits_division (merchant_id, order_id, store_id, rule_id, batch, no, at, net_fen, cap_permille,
                                     split_fen, kept_fen, kept_for)
        SELECT _merchant, o.id, o.store_id, o.rule_id, _batch, o.no, o.at, o.net_fen, o.cap, coalesce(g.fen, 0),
               o.net_fen - coalesce(g.fen, 0),
               CASE WHEN o.reason IS NOT NULL THEN ARRAY[o.reason] ELSE
                    ARRAY(SELECT 'party/' || j.party_id || ':' || j.kept_for FROM judged j
                          WHERE j.id = o.id AND j.kept_for IS NOT NULL ORDER BY j.place) END
        FROM sold o
        LEFT JOIN (SELECT id, sum(fen)::bigint AS fen FROM given GROUP BY id) g ON g.id = o.id
        RETURNING *
    ), split AS (
        INSERT INTO splits_split (merchant_id, order_id, no, store_id, channel_account_id, state, made_at, next_action_at)
        SELECT _merchant, o.id, c.no, o.store_id, o.channel_account_id, 'scheduled', _now, _now
        FROM sold o
        JOIN (SELECT DISTINCT id, (nth / _together + 1)::smallint AS no FROM given) c ON c.id = o.id
        ORDER BY o.no, c.no
        RETURNING id, order_id, no
    ), part AS (
        INSERT INTO splits_part (merchant_id, split_id, place, party_id, amount_fen, state)
        SELECT _merchant, s.id, (g.nth % _together + 1)::smallint, g.party_id, g.fen, 'owed'
        FROM given g JOIN split s ON s.order_id = g.id AND s.no = g.nth / _together + 1
    ), line AS (
        SELECT v.no, concat_ws('|', v.no, v.order_id, v.store_id, v.rule_id, extract(epoch FROM v.at), v.net_fen,
                               v.cap_permille, v.split_fen, v.kept_fen, array_to_string(v.kept_for, ','),
                               (SELECT string_agg(g.party_id || '=' || g.fen, ',' ORDER BY g.nth) FROM given g
                                WHERE g.id = v.order_id)) AS line
        FROM division v
    ), total AS (
        SELECT o.store_id, g.party_id, sum(g.fen)::bigint AS fen FROM given g JOIN sold o USING (id) GROUP BY 1, 2
    )
    SELECT (SELECT sha256(convert_to(string_agg(l.line, E'\n' ORDER BY l.no), 'UTF8')) FROM line l),
           (SELECT count(*) FROM line), x.ids, x.fens, array_agg(t.store_id ORDER BY t.store_id, t.party_id),
           array_agg(t.party_id ORDER BY t.store_id, t.party_id), array_agg(t.fen ORDER BY t.store_id, t.party_id)
    FROM (SELECT array_agg(v.order_id ORDER BY v.order_id) AS ids, array_agg(v.split_fen ORDER BY v.order_id) AS fens
          FROM division v WHERE v.split_fen > 0) x
    LEFT JOIN total t ON true GROUP BY x.ids, x.fens;
END $$;
GRANT EXECUTE ON FUNCTION splits_shares_v1, splits_divide_v1 TO houfu_app;
