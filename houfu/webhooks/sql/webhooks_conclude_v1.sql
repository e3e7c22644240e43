-- webhooks_conclude_v1: keep how attempts at deliveries ended, each delivery at most once in a call. What was accepted is
-- delivered, and its endpoint is well; what ended meanwhile stays as it is.
-- Returns the deliveries that are pending still, in the order given: what comes next is the caller's to say.
CREATE FUNCTION webhooks_conclude_v1(
    _merchant bigint[], _delivery bigint[], _outcome text[], _status smallint[], _latency_ms integer[], _at timestamptz
) RETURNS TABLE (merchant_id bigint, delivery_id bigint, endpoint_id bigint, tries integer, since timestamptz, outcome text)
    LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    -- Endpoints before deliveries, each kind in order (docs/locks.md).
    PERFORM FROM webhooks_endpoint e
    WHERE (e.merchant_id, e.id) IN (
        SELECT d.merchant_id, d.endpoint_id
        FROM unnest(_merchant, _delivery) u (m, i) JOIN webhooks_delivery d ON (d.merchant_id, d.id) = (u.m, u.i))
    ORDER BY e.merchant_id, e.id FOR NO KEY UPDATE;
    PERFORM FROM webhooks_delivery d WHERE (d.merchant_id, d.id) IN (SELECT * FROM unnest(_merchant, _delivery))
    ORDER BY d.merchant_id, d.id FOR NO KEY UPDATE;
    INSERT INTO webhooks_attempt
    SELECT d.merchant_id, d.id, d.attempts + 1, _at, u.o, u.s, u.l
    FROM unnest(_merchant, _delivery, _outcome, _status, _latency_ms) u (m, i, o, s, l)
    JOIN webhooks_delivery d ON (d.merchant_id, d.id) = (u.m, u.i);
    UPDATE webhooks_endpoint e
    SET failures = 0, rests_until = NULL, tried_at = _at, delivered_at = _at, latency_ms = w.latency_ms
    FROM (SELECT d.merchant_id, d.endpoint_id, max(u.l) AS latency_ms
          FROM unnest(_merchant, _delivery, _outcome, _latency_ms) u (m, i, o, l)
          JOIN webhooks_delivery d ON (d.merchant_id, d.id) = (u.m, u.i)
          WHERE u.o = 'delivered' AND d.state = 'pending' GROUP BY d.merchant_id, d.endpoint_id) w
    WHERE (e.merchant_id, e.id) = (w.merchant_id, w.endpoint_id);
    RETURN QUERY
    WITH moved AS (
        UPDATE webhooks_delivery d
        SET attempts = d.attempts + 1, tries = d.tries + 1, since = coalesce(d.since, _at),
            state = CASE WHEN t.ends THEN 'delivered' ELSE d.state END,
            next_at = CASE WHEN t.ends THEN NULL ELSE d.next_at END,
            ended_at = CASE WHEN t.ends THEN _at ELSE d.ended_at END
        FROM (SELECT p.merchant_id, p.id, u.o, u.n, u.o = 'delivered' AND p.state = 'pending' AS ends
              FROM unnest(_merchant, _delivery, _outcome) WITH ORDINALITY u (m, i, o, n)
              JOIN webhooks_delivery p ON (p.merchant_id, p.id) = (u.m, u.i)) t
        WHERE (d.merchant_id, d.id) = (t.merchant_id, t.id)
        RETURNING d.merchant_id, d.id, d.endpoint_id, d.tries, d.since, d.state, t.o, t.n
    )
    SELECT v.merchant_id, v.id, v.endpoint_id, v.tries, v.since, v.o FROM moved v WHERE v.state = 'pending' ORDER BY v.n;
END $$;
GRANT EXECUTE ON FUNCTION webhooks_conclude_v1 TO houfu_app;
