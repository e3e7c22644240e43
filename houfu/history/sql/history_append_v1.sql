-- history_append_v1: add links to the chains of their merchants, in the order given, under the locked heads.
-- Call it last in a transaction: heads come after every other lock (docs/locks.md).
CREATE FUNCTION history_append_v1(
    _merchant bigint[], _at timestamptz[], _actor text[], _verb text[], _subject text[], _detail text[],
    _rows_digest bytea[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    link record;
    head history_head;
BEGIN
    INSERT INTO history_head SELECT DISTINCT m, 0, '\x'::bytea FROM unnest(_merchant) m ORDER BY m ON CONFLICT DO NOTHING;
    PERFORM FROM history_head WHERE merchant_id = ANY (_merchant) ORDER BY merchant_id FOR UPDATE;
    FOR link IN
        SELECT * FROM unnest(_merchant, _at, _actor, _verb, _subject, _detail, _rows_digest)
            WITH ORDINALITY AS l (merchant_id, at, actor, verb, subject, detail, rows_digest, no)
        ORDER BY merchant_id, no
    LOOP
        IF head.merchant_id IS DISTINCT FROM link.merchant_id THEN
            UPDATE history_head SET seq = head.seq, hash = head.hash WHERE merchant_id = head.merchant_id;
            SELECT * INTO head FROM history_head WHERE merchant_id = link.merchant_id;
        END IF;
        head.seq := head.seq + 1;
        head.hash := history_hash_v1(head.hash, head.seq, link.at, link.actor, link.verb, link.subject, link.detail,
                                     link.rows_digest);
        INSERT INTO history_link
        VALUES (link.merchant_id, head.seq, link.at, link.actor, link.verb, link.subject, link.detail,
                link.rows_digest, head.hash);
    END LOOP;
    UPDATE history_head SET seq = head.seq, hash = head.hash WHERE merchant_id = head.merchant_id;
END $$;
GRANT EXECUTE ON FUNCTION history_append_v1 TO houfu_app;
