-- ledger_post_v1: move money and quota. Each line takes `_amount` from its credit account to its debit account; all
-- lines land, or none do. A transfer that is there with the same lines is left as it is and not counted.
-- Accounts are opened at their first use, and moved last, in the one order (merchant, id), by amounts relative to what
-- they then hold: whoever was quicker is waited for and counted with.
-- Returns how many transfers are new. At the commit, whoever listens to houfu_limits hears the new balances of quota
-- accounts that moved: [[merchant_id, kind, owner, balance_fen], …], in as many notices as their size allows.
-- Refuses with: HF101 (no such kind of account), HF102 (the transfer is there with other lines),
--               ledger_account_floor, ledger_entry_credit_unit (the line's accounts are of two units),
--               ledger_entry_amount, ledger_entry_two_accounts.
CREATE FUNCTION ledger_post_v1(
    _merchant bigint[], _transfer uuid[], _verb text[], _at timestamptz[],
    _debit text[], _debit_owner bigint[], _credit text[], _credit_owner bigint[], _amount bigint[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off AS $$
DECLARE
    debits bigint[]; credits bigint[]; units text[];  -- of each line: its accounts, and the unit of its transfer
    count bigint;                                     -- how many transfers are new
    wanted ledger_transfer[]; fresh ledger_transfer[];  -- all, and those that are new, where they differ
    line_merchant bigint[] := _merchant; line_transfer uuid[] := _transfer; line_amount bigint[] := _amount;
    said text[];                                      -- of each quota account that moved: what it holds now
    TELL CONSTANT integer := 85;                      -- of at most 87 bytes each stay below what a notice carries, 7,999
BEGIN
    PERFORM kernel_enter_v1();
    FOR attempt IN 1 .. 2 LOOP
        SELECT array_agg(d.id ORDER BY l.no), array_agg(c.id ORDER BY l.no), array_agg(d.unit ORDER BY l.no)
        INTO debits, credits, units
        FROM unnest(_merchant, _debit, _debit_owner, _credit, _credit_owner) WITH ORDINALITY
            AS l (merchant_id, debit, debit_owner, credit, credit_owner, no)
        LEFT JOIN ledger_account d ON (d.merchant_id, d.kind, d.owner) = (l.merchant_id, l.debit, l.debit_owner)
        LEFT JOIN ledger_account c ON (c.merchant_id, c.kind, c.owner) = (l.merchant_id, l.credit, l.credit_owner);
        EXIT WHEN array_position(debits, NULL) IS NULL AND array_position(credits, NULL) IS NULL;
        PERFORM ledger_open_v1(_merchant || _merchant, _debit || _credit, _debit_owner || _credit_owner);
    END LOOP;

    WITH wanted AS (
        SELECT merchant_id, id, unit, min(verb) AS verb, min(at) AS at, sha256(convert_to(string_agg(
                   concat_ws(' ', verb, debit, debit_owner, credit, credit_owner, amount_fen), E'\n'
                   ORDER BY debit, debit_owner, credit, credit_owner, amount_fen), 'UTF8')) AS digest
        FROM unnest(_merchant, _transfer, units, _verb, _at, _debit, _debit_owner, _credit, _credit_owner, _amount)
            AS l (merchant_id, id, unit, verb, at, debit, debit_owner, credit, credit_owner, amount_fen)
        GROUP BY merchant_id, id, unit ORDER BY merchant_id, id, unit
    ), written AS (
        INSERT INTO ledger_transfer SELECT * FROM wanted ON CONFLICT DO NOTHING RETURNING ledger_transfer.*
    )
    SELECT n.fresh, CASE WHEN n.fresh < n.wanted THEN (SELECT array_agg(w::ledger_transfer) FROM wanted w) END,
           CASE WHEN n.fresh < n.wanted THEN (SELECT array_agg(t::ledger_transfer) FROM written t) END
    INTO count, wanted, fresh
    FROM (SELECT (SELECT count(*) FROM wanted) AS wanted, (SELECT count(*) FROM written) AS fresh) n;
    IF wanted IS NOT NULL THEN
        IF EXISTS (
            SELECT FROM unnest(wanted) w JOIN ledger_transfer t USING (merchant_id, id, unit) WHERE t.digest <> w.digest
        ) THEN
            RAISE 'a transfer of this id has other lines' USING ERRCODE = 'HF102';
        END IF;
        IF fresh IS NULL THEN RETURN 0; END IF;
        SELECT array_agg(l.merchant_id ORDER BY l.no), array_agg(l.id ORDER BY l.no), array_agg(l.unit ORDER BY l.no),
               array_agg(l.debit ORDER BY l.no), array_agg(l.credit ORDER BY l.no), array_agg(l.amount ORDER BY l.no)
        INTO line_merchant, line_transfer, units, debits, credits, line_amount
        FROM unnest(_merchant, _transfer, units, debits, credits, _amount) WITH ORDINALITY
            AS l (merchant_id, id, unit, debit, credit, amount, no)
        JOIN unnest(fresh) f USING (merchant_id, id, unit);
    END IF;

    WITH line AS (
        SELECT * FROM unnest(line_merchant, line_transfer, units, debits, credits, line_amount) WITH ORDINALITY
            AS l (merchant_id, id, unit, debit_id, credit_id, amount_fen, no)
    ), entry AS (
        INSERT INTO ledger_entry (merchant_id, transfer_id, unit, no, debit_id, credit_id, amount_fen)
        SELECT merchant_id, id, unit, row_number() OVER (PARTITION BY merchant_id, id, unit ORDER BY no),
               debit_id, credit_id, amount_fen
        FROM line
    ), moved AS (
        SELECT merchant_id, account_id, sum(debit_fen)::bigint AS debit_fen
        FROM (SELECT merchant_id, debit_id AS account_id, amount_fen AS debit_fen FROM line
              UNION ALL SELECT merchant_id, credit_id, -amount_fen FROM line) AS half
        GROUP BY 1, 2 ORDER BY 1, 2
    ), stands AS (
        UPDATE ledger_account a
        SET balance_fen = a.balance_fen + CASE a.grows_by WHEN 'debit' THEN m.debit_fen ELSE -m.debit_fen END
        FROM moved m
        WHERE a.merchant_id = m.merchant_id AND a.id = m.account_id AND m.debit_fen <> 0
        RETURNING a.merchant_id, a.kind, a.owner, a.balance_fen, a.unit
    )
    SELECT array_agg(format('[%s,"%s",%s,%s]', s.merchant_id, s.kind, s.owner, s.balance_fen)) INTO said
    FROM stands s WHERE s.unit = 'CNY.Q';
    FOR place IN 1 .. coalesce(cardinality(said), 0) BY TELL LOOP
        PERFORM pg_notify('houfu_limits', '[' || array_to_string(said[place : place + TELL - 1], ',') || ']');
    END LOOP;
    RETURN count;
END $$;
GRANT EXECUTE ON FUNCTION ledger_post_v1 TO houfu_app;
