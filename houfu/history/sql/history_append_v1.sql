-- history_append_v1: add links to the chains of their merchants, in the order given, under the locked heads.
-- Chains of different merchants have nothing to do with each other: where each merchant has one link, one statement
-- moves all heads, in their order, and writes all links; several links of a merchant are hashed one after another.
-- A single link, which most actions have, is written with as little as can be.
-- Call it last in a transaction: heads come after every other lock (docs/locks.md).
CREATE FUNCTION history_append_v1(
    _merchant bigint[], _at timestamptz[], _actor text[], _verb text[], _subject text[], _detail text[],
    _rows_digest bytea[]
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
DECLARE
    merchants bigint; heads bigint;
    head record; link record;
    seqs bigint[]; hashes bytea[];                    -- of each head, by the place of its merchant
    link_no integer[]; link_seq bigint[]; link_hash bytea[];
BEGIN
    PERFORM kernel_enter_v1();
    IF cardinality(_merchant) = 1 THEN
        UPDATE history_head h
        SET seq = h.seq + 1, hash = history_hash_v1(h.hash, h.merchant_id, h.seq + 1, _at[1], _actor[1], _verb[1],
                                                    _subject[1], _detail[1], _rows_digest[1])
        WHERE h.merchant_id = _merchant[1] RETURNING h.seq, h.hash INTO head;
        IF FOUND THEN
            INSERT INTO history_link VALUES (_merchant[1], head.seq, _at[1], _actor[1], _verb[1], _subject[1],
                                             _detail[1], _rows_digest[1], head.hash);
            RETURN;
        END IF;
    END IF;
    SELECT count(*), count(h.merchant_id) INTO merchants, heads
    FROM (SELECT DISTINCT m FROM unnest(_merchant) m) w LEFT JOIN history_head h ON h.merchant_id = w.m;
    IF heads < merchants THEN
        INSERT INTO history_head SELECT DISTINCT m, 0, '\x'::bytea FROM unnest(_merchant) m ORDER BY m
        ON CONFLICT DO NOTHING;
    END IF;
    IF merchants = cardinality(_merchant) THEN
        WITH moved AS (
            UPDATE history_head h
            SET seq = h.seq + 1, hash = history_hash_v1(h.hash, h.merchant_id, h.seq + 1, l.at, l.actor, l.verb,
                                                        l.subject, l.detail, l.rows_digest)
            FROM (SELECT * FROM unnest(_merchant, _at, _actor, _verb, _subject, _detail, _rows_digest)
                      AS u (merchant_id, at, actor, verb, subject, detail, rows_digest) ORDER BY u.merchant_id) l
            WHERE h.merchant_id = l.merchant_id
            RETURNING h.merchant_id, h.seq, l.at, l.actor, l.verb, l.subject, l.detail, l.rows_digest, h.hash
        )
        INSERT INTO history_link SELECT * FROM moved;
        RETURN;
    END IF;

    PERFORM FROM history_head WHERE merchant_id = ANY (_merchant) ORDER BY merchant_id FOR UPDATE;
    SELECT array_agg(h.seq ORDER BY h.merchant_id), array_agg(h.hash ORDER BY h.merchant_id) INTO seqs, hashes
    FROM history_head h WHERE h.merchant_id = ANY (_merchant);
    FOR link IN
        SELECT l.*, dense_rank() OVER (ORDER BY l.merchant_id) AS place
        FROM unnest(_merchant, _at, _actor, _verb, _subject, _detail, _rows_digest)
            WITH ORDINALITY AS l (merchant_id, at, actor, verb, subject, detail, rows_digest, no)
        ORDER BY l.merchant_id, l.no
    LOOP
        seqs[link.place] := seqs[link.place] + 1;
        hashes[link.place] := history_hash_v1(
            hashes[link.place], link.merchant_id, seqs[link.place], link.at, link.actor, link.verb, link.subject,
            link.detail, link.rows_digest);
        link_no := link_no || link.no::integer;
        link_seq := link_seq || seqs[link.place];
        link_hash := link_hash || hashes[link.place];
    END LOOP;
    INSERT INTO history_link
    SELECT _merchant[link_no[n]], link_seq[n], _at[link_no[n]], _actor[link_no[n]], _verb[link_no[n]],
           _subject[link_no[n]], _detail[link_no[n]], _rows_digest[link_no[n]], link_hash[n]
    FROM generate_subscripts(link_no, 1) n;
    UPDATE history_head h SET seq = w.seq, hash = w.hash
    FROM (SELECT m.merchant_id, seqs[m.place] AS seq, hashes[m.place] AS hash
          FROM (SELECT d.merchant_id, row_number() OVER (ORDER BY d.merchant_id) AS place
                FROM (SELECT DISTINCT u.m AS merchant_id FROM unnest(_merchant) u (m)) d) m) w
    WHERE h.merchant_id = w.merchant_id;
END $$;
GRANT EXECUTE ON FUNCTION history_append_v1 TO houfu_app;
