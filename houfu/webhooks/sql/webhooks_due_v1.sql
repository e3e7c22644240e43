-- webhooks_due_v1: the active endpoints to which something is due at an instant, the one waiting longest for its turn
-- first; leaving out those at rest and those named, whose turn it is now.
-- With _doubtful, of those that failed last, are slow, or never took anything yet; else of the others. The sender gives
-- the doubtful a part of its lines only, so that they cannot hold up the rest.
CREATE FUNCTION webhooks_due_v1(
    _at timestamptz, _doubtful boolean, _slow_ms integer, _busy_merchant bigint[], _busy_endpoint bigint[], _limit integer
) RETURNS TABLE (merchant_id bigint, endpoint_id bigint) LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT e.merchant_id, e.id
    FROM webhooks_endpoint e
    WHERE e.state = 'active' AND (e.rests_until IS NULL OR e.rests_until <= _at)
      AND (e.failures > 0 OR e.latency_ms IS NULL OR e.latency_ms >= _slow_ms) = _doubtful
      AND (e.merchant_id, e.id) NOT IN (SELECT * FROM unnest(_busy_merchant, _busy_endpoint))
      AND EXISTS (SELECT FROM webhooks_delivery d
                  WHERE (d.merchant_id, d.endpoint_id) = (e.merchant_id, e.id)
                    AND d.state = 'pending' AND d.next_at <= _at)
    ORDER BY e.tried_at NULLS FIRST, e.merchant_id, e.id LIMIT _limit
$$;
GRANT EXECUTE ON FUNCTION webhooks_due_v1 TO houfu_app;
