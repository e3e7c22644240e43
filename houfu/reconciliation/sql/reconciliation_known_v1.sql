-- reconciliation_known_v1: what lines with which the books agree have said before, of an account at a channel: which of
-- the numbers given are such lines of the day, and which of the references given they named, with their kinds.
-- Every number and reference is looked up by itself (OFFSET 0 keeps it so): a plan that was made while there were few
-- lines would else go through all of them for each.
-- Returns one row of arrays.
CREATE FUNCTION reconciliation_known_v1(_merchant bigint, _account bigint, _day date, _no text[], _ref text[])
RETURNS TABLE (agreed text[], said_kind text[], said_ref text[])
LANGUAGE sql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
BEGIN ATOMIC
    SELECT array(SELECT l.no FROM unnest(_no) w (no) CROSS JOIN LATERAL (
                     SELECT x.no, x.outcome FROM reconciliation_line x
                     WHERE x.merchant_id = _merchant AND x.channel_account_id = _account AND x.day = _day AND x.no = w.no
                     OFFSET 0) l
                 WHERE l.outcome <> 'break'),
           array_agg(s.kind), array_agg(s.ref)
    FROM unnest(_ref) w (ref) CROSS JOIN LATERAL (
        SELECT x.kind, x.ref, x.channel_account_id, x.outcome FROM reconciliation_line x
        WHERE x.merchant_id = _merchant AND x.ref = w.ref OFFSET 0) s
    WHERE s.channel_account_id = _account AND s.outcome <> 'break';
END;
GRANT EXECUTE ON FUNCTION reconciliation_known_v1 TO houfu_app;
