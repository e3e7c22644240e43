-- orders_write_events_v1: add steps of a batch and return the digest that seals them.
-- Refuses with orders_event_once (a step is there already).
CREATE FUNCTION orders_write_events_v1(
    _batch uuid, _merchant bigint, _order text[], _verb text[], _ref text[], _at timestamptz[], _fen bigint[],
    _fee bigint[], _deficit bigint[], _recalled bigint[], _own bigint[], _pool bigint[], _temp bigint[],
    _tolerance bigint[], _note text[]
) RETURNS TABLE (digest bytea) LANGUAGE sql BEGIN ATOMIC
    WITH written AS (
        INSERT INTO orders_event (merchant_id, order_id, verb, ref, batch, no, at, fen, fee_fen, deficit_fen,
                                  recalled_fen, own_fen, pool_fen, temp_fen, tolerance_fen, note)
        SELECT _merchant, order_id, verb, ref, _batch, no, at, fen, fee, deficit, recalled, own, pool, temp, tolerance,
               note
        FROM unnest(_order, _verb, _ref, _at, _fen, _fee, _deficit, _recalled, _own, _pool, _temp, _tolerance, _note)
             WITH ORDINALITY e (order_id, verb, ref, at, fen, fee, deficit, recalled, own, pool, temp, tolerance, note, no)
        RETURNING *
    )
    SELECT orders_seal_v1(array_agg(orders_step_v1(w::orders_event) ORDER BY no)) FROM written w;
END;
GRANT EXECUTE ON FUNCTION orders_write_events_v1 TO houfu_app;

-- orders_write_orders_v1: move orders on to where the batch has brought them.
CREATE FUNCTION orders_write_orders_v1(
    _merchant bigint, _id text[], _state text[], _before_dispute text[], _own bigint[], _pool bigint[], _temp bigint[],
    _tolerance bigint[], _refunded bigint[]
) RETURNS void LANGUAGE sql BEGIN ATOMIC
    UPDATE orders_order o
    SET state = w.state, state_before_dispute = w.before_dispute, open_own_fen = w.own, open_pool_fen = w.pool,
        open_temp_fen = w.temp, open_tolerance_fen = w.tolerance, refunded_fen = w.refunded
    FROM unnest(_id, _state, _before_dispute, _own, _pool, _temp, _tolerance, _refunded)
         w (id, state, before_dispute, own, pool, temp, tolerance, refunded)
    WHERE o.merchant_id = _merchant AND o.id = w.id;
END;
GRANT EXECUTE ON FUNCTION orders_write_orders_v1 TO houfu_app;

-- orders_write_lots_v1: make the lots of a batch, or move them on.
CREATE FUNCTION orders_write_lots_v1(
    _merchant bigint, _id text[], _store bigint[], _channel_account bigint[], _trust text[], _received_at timestamptz[],
    _payment_due_at timestamptz[], _gross bigint[], _fee bigint[], _refunded bigint[], _lost bigint[], _deficit bigint[],
    _split bigint[], _disputed bigint[], _offset bigint[], _settled_by text[], _settled_at timestamptz[],
    _matures_at timestamptz[], _matured_at timestamptz[]
) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO orders_lot AS l (merchant_id, id, store_id, channel_account_id, trust, received_at, payment_due_at,
                                 gross_fen, fee_fen, refunded_fen, lost_fen, deficit_fen, split_fen, disputed_fen,
                                 offset_fen, settled_by, settled_at, matures_at, matured_at)
    SELECT _merchant, w.*
    FROM unnest(_id, _store, _channel_account, _trust, _received_at, _payment_due_at, _gross, _fee, _refunded, _lost,
                _deficit, _split, _disputed, _offset, _settled_by, _settled_at, _matures_at, _matured_at) w
    ON CONFLICT (merchant_id, id) DO UPDATE
    SET fee_fen = excluded.fee_fen, refunded_fen = excluded.refunded_fen, lost_fen = excluded.lost_fen,
        deficit_fen = excluded.deficit_fen, split_fen = excluded.split_fen, disputed_fen = excluded.disputed_fen,
        offset_fen = excluded.offset_fen, settled_by = excluded.settled_by, settled_at = excluded.settled_at, matures_at = excluded.matures_at,
        matured_at = excluded.matured_at;
END;
GRANT EXECUTE ON FUNCTION orders_write_lots_v1 TO houfu_app;
