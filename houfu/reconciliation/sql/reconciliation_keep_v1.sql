-- reconciliation_keep_v1: keep lines of a day's statement with what the books say to them; of those that are there
-- already as breaks (`_broken` has their numbers), what they say now.
-- Refuses with reconciliation_line_once (another call kept one of the others meanwhile; call again).
CREATE FUNCTION reconciliation_keep_v1(
    _merchant bigint, _account bigint, _day date, _broken text[], _no text[], _kind text[], _ref text[], _amount bigint[],
    _fee bigint[], _at timestamptz[], _outcome text[], _code text[]
) RETURNS void LANGUAGE sql BEGIN ATOMIC
    UPDATE reconciliation_line l SET outcome = w.outcome, code = w.code
    FROM unnest(_no, _outcome, _code) w (no, outcome, code)
    WHERE cardinality(_broken) > 0 AND w.no = ANY (_broken)
      AND (l.merchant_id, l.channel_account_id, l.day, l.no) = (_merchant, _account, _day, w.no);
    -- No ON CONFLICT: it would cost every new line nearly as much again.
    INSERT INTO reconciliation_line (merchant_id, channel_account_id, day, no, kind, ref, amount_fen, fee_fen, at, outcome,
                                     code)
    SELECT _merchant, _account, _day, w.*
    FROM unnest(_no, _kind, _ref, _amount, _fee, _at, _outcome, _code) w (no, kind, ref, amount, fee, at, outcome, code)
    WHERE w.no <> ALL (_broken);
END;
GRANT EXECUTE ON FUNCTION reconciliation_keep_v1 TO houfu_app;
