-- buyers_score_v1: record a buyer's score; the latest one makes the line. The same score again changes nothing.
-- What is held is never taken away: beyond a lower limit nothing more can be held until it has come down (O5).
-- Returns whether it is new. For the platform alone.
-- Refuses with: buyers_score_once (another score of that instant), buyers_score_range, buyers_score_source,
--               buyers_score_ref, 42501 (whoever asks is a merchant's).
CREATE FUNCTION buyers_score_v1(
    _buyer bytea, _score integer, _scored_at timestamptz, _source text, _ref text, _limit bigint, _merchant bigint,
    _store bigint, _policy text, _by text, _at timestamptz
) RETURNS TABLE (fresh boolean) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM kernel_enter_v1();
    PERFORM buyers_platform_v1();
    IF EXISTS (SELECT FROM buyers_score s
               WHERE (s.buyer, s.scored_at, s.score, s.source, s.ref) = (_buyer, _scored_at, _score, _source, _ref)
                 AND (s.by_merchant, s.by_store) IS NOT DISTINCT FROM (_merchant, _store)) THEN
        RETURN QUERY SELECT false;
        RETURN;
    END IF;
    INSERT INTO buyers_score (buyer, scored_at, score, source, ref, limit_fen, by_merchant, by_store, policy,
                              recorded_by, recorded_at)
    VALUES (_buyer, _scored_at, _score, _source, _ref, _limit, _merchant, _store, _policy, _by, _at);
    INSERT INTO buyers_line AS l (buyer, score, scored_at, limit_fen, by_merchant, by_store)
    VALUES (_buyer, _score, _scored_at, _limit, _merchant, _store)
    ON CONFLICT (buyer) DO UPDATE
    SET score = excluded.score, scored_at = excluded.scored_at, limit_fen = excluded.limit_fen,
        over_fen = greatest(l.held_fen - excluded.limit_fen, 0), by_merchant = excluded.by_merchant,
        by_store = excluded.by_store
    WHERE l.scored_at < excluded.scored_at;
    RETURN QUERY SELECT true;
END $$;
GRANT EXECUTE ON FUNCTION buyers_score_v1 TO houfu_app;
