-- webhooks_follow_v1: make deliveries of the links that active endpoints have not been told of yet, in the order of
-- each chain, and move their cursors. Cursor and deliveries are one transaction, so no link is passed over.
-- Returns how many links were looked at, over all endpoints; an endpoint that somebody else holds waits for the next call.
CREATE FUNCTION webhooks_follow_v1(_at timestamptz, _endpoints integer, _links integer) RETURNS bigint
    LANGUAGE sql SET search_path = public, pg_temp AS $$
    WITH behind AS (
        SELECT e.merchant_id, e.id, e.verbs, e.store_ids, e.cursor, least(h.seq, e.cursor + _links) AS upto
        FROM webhooks_endpoint e JOIN history_head h ON h.merchant_id = e.merchant_id
        WHERE e.state = 'active' AND e.cursor < h.seq
        ORDER BY e.merchant_id, e.id LIMIT _endpoints FOR NO KEY UPDATE OF e SKIP LOCKED
    ), told AS (
        INSERT INTO webhooks_delivery (merchant_id, endpoint_id, seq, state, next_at)
        SELECT b.merchant_id, b.id, l.seq, 'pending', _at
        FROM behind b JOIN history_link l ON l.merchant_id = b.merchant_id AND l.seq > b.cursor AND l.seq <= b.upto
        WHERE webhooks_wants_v1(b.verbs, b.store_ids, b.id, l.verb, l.subject)
        ORDER BY b.merchant_id, b.id, l.seq
        ON CONFLICT ON CONSTRAINT webhooks_delivery_once DO NOTHING
    ), moved AS (
        UPDATE webhooks_endpoint e SET cursor = b.upto
        FROM behind b WHERE (e.merchant_id, e.id) = (b.merchant_id, b.id) RETURNING b.upto - b.cursor AS links
    )
    SELECT coalesce(sum(links), 0)::bigint FROM moved
$$;
GRANT EXECUTE ON FUNCTION webhooks_follow_v1 TO houfu_app;
