-- reconciliation_known_v1: what is known of lines of a day's statement of an account at a channel: which of the numbers
-- given are lines with which the books agree, which are breaks, and which of the references given lines of any day have
-- named with which the books agree, with their kinds.
-- Every number and reference is looked up by itself (OFFSET 0 keeps it so), by a plan made for this call: one made
-- while there were few lines would go through all of them for each.
-- Returns one row of arrays.
CREATE FUNCTION reconciliation_known_v1(_merchant bigint, _account bigint, _day date, _no text[], _ref text[])
RETURNS TABLE (agreed text[], broken text[], said_kind text[], said_ref text[])
LANGUAGE sql STABLE SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_bitmapscan = off
BEGIN ATOMIC
    WITH line AS (
        SELECT l.no, l.outcome = 'break' AS broken FROM unnest(_no) w (no) CROSS JOIN LATERAL (
            SELECT x.no, x.outcome FROM reconciliation_line x
            WHERE x.merchant_id = _merchant AND x.channel_account_id = _account AND x.day = _day AND x.no = w.no
            OFFSET 0) l
    ), said AS (
        SELECT s.kind, s.ref FROM unnest(_ref) w (ref) CROSS JOIN LATERAL (
            SELECT x.kind, x.ref, x.channel_account_id, x.outcome FROM reconciliation_line x
            WHERE x.merchant_id = _merchant AND x.ref = w.ref OFFSET 0) s
        WHERE s.channel_account_id = _account AND s.outcome <> 'break'
    )
    SELECT array(SELECT no FROM line WHERE NOT broken), array(SELECT no FROM line WHERE broken),
           array(SELECT kind FROM said), array(SELECT ref FROM said);
END;
GRANT EXECUTE ON FUNCTION reconciliation_known_v1 TO houfu_app;
