-- reconciliation_known_v1: what lines with which the books agree have said before, of an account at a channel: which of
-- the numbers given are such lines of the day, and which of the references given they named, with their kinds.
-- Returns one row of arrays.
CREATE FUNCTION reconciliation_known_v1(_merchant bigint, _account bigint, _day date, _no text[], _ref text[])
RETURNS TABLE (agreed text[], said_kind text[], said_ref text[])
LANGUAGE sql STABLE SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
BEGIN ATOMIC
    SELECT array(SELECT l.no FROM reconciliation_line l
                 WHERE l.merchant_id = _merchant AND l.channel_account_id = _account AND l.day = _day AND l.no = ANY (_no)
                   AND l.outcome <> 'break'),
           array_agg(s.kind), array_agg(s.ref)
    FROM reconciliation_line s
    WHERE s.merchant_id = _merchant AND s.ref = ANY (_ref) AND s.channel_account_id = _account AND s.outcome <> 'break';
END;
GRANT EXECUTE ON FUNCTION reconciliation_known_v1 TO houfu_app;
