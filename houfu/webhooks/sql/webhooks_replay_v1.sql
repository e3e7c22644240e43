-- webhooks_replay_v1: tell an endpoint again of what happened in [_from, _to), as far as its verbs name it and its
-- cursor has come; also of what it was never told. Deliveries that are pending already stay as they are.
-- Returns how many begin anew.
CREATE FUNCTION webhooks_replay_v1(
    _merchant bigint, _endpoint bigint, _from timestamptz, _to timestamptz, _at timestamptz
) RETURNS bigint LANGUAGE sql SET search_path = public, pg_temp AS $$
    WITH again AS (
        INSERT INTO webhooks_delivery AS d (merchant_id, endpoint_id, seq, state, next_at)
        SELECT e.merchant_id, e.id, l.seq, 'pending', _at
        FROM webhooks_endpoint e JOIN history_link l ON l.merchant_id = e.merchant_id AND l.seq <= e.cursor
        WHERE (e.merchant_id, e.id) = (_merchant, _endpoint) AND l.at >= _from AND l.at < _to
          AND webhooks_wants_v1(e.verbs, e.store_ids, e.id, l.verb, l.subject)
        ORDER BY l.seq
        ON CONFLICT ON CONSTRAINT webhooks_delivery_once DO UPDATE
            SET state = 'pending', tries = 0, since = NULL, next_at = _at, ended_at = NULL
            WHERE d.state <> 'pending'
        RETURNING 1
    )
    SELECT count(*) FROM again
$$;
GRANT EXECUTE ON FUNCTION webhooks_replay_v1 TO houfu_app;
