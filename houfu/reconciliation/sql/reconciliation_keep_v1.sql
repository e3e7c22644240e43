-- reconciliation_keep_v1: keep lines of a day's statement with what the books say to them; of one that was a break, what
-- they say now.
CREATE FUNCTION reconciliation_keep_v1(
    _merchant bigint, _account bigint, _day date, _no text[], _kind text[], _ref text[], _amount bigint[], _fee bigint[],
    _at timestamptz[], _outcome text[], _code text[]
) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO reconciliation_line (merchant_id, channel_account_id, day, no, kind, ref, amount_fen, fee_fen, at, outcome,
                                     code)
    SELECT _merchant, _account, _day, w.* FROM unnest(_no, _kind, _ref, _amount, _fee, _at, _outcome, _code) w
    ON CONFLICT (merchant_id, channel_account_id, day, no)
    DO UPDATE SET outcome = excluded.outcome, code = excluded.code;
END;
GRANT EXECUTE ON FUNCTION reconciliation_keep_v1 TO houfu_app;
