-- ledger_post_v1: move money and quota. Each line takes `_amount` from its credit account to its debit account; all
-- lines land, or none do. A transfer that is there with the same lines is left as it is and not counted.
-- Accounts are opened at their first use and locked in the one order (merchant, id).
-- Returns how many transfers are new. At the commit, whoever listens to houfu_limits hears the new balances of quota
-- accounts that moved: [[merchant_id, kind, owner, balance_fen], …], in as many notices as their size allows.
-- Refuses with: HF101 (no such kind of account), HF102 (the transfer is there with other lines),
--               ledger_account_floor, ledger_entry_credit_unit (the line's accounts are of two units),
--               ledger_entry_amount, ledger_entry_two_accounts.
CREATE FUNCTION ledger_post_v1(
    _merchant bigint[], _transfer uuid[], _verb text[], _at timestamptz[],
    _debit text[], _debit_owner bigint[], _credit text[], _credit_owner bigint[], _amount bigint[]
) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    wanted ledger_transfer[];
    fresh_merchant bigint[];
    fresh_id uuid[];
    fresh_unit text[];
    notices text[];
BEGIN
    PERFORM kernel_enter_v1();
    PERFORM ledger_open_v1(_merchant || _merchant, _debit || _credit, _debit_owner || _credit_owner);

    SELECT array_agg(w ORDER BY w.merchant_id, w.id, w.unit) INTO wanted FROM (
        SELECT merchant_id, id, unit, min(verb) AS verb, min(at) AS at, sha256(convert_to(string_agg(
                   concat_ws(' ', verb, debit, debit_owner, credit, credit_owner, amount_fen), E'\n'
                   ORDER BY debit, debit_owner, credit, credit_owner, amount_fen), 'UTF8')) AS digest
        FROM unnest(_merchant, _transfer, _verb, _at, _debit, _debit_owner, _credit, _credit_owner, _amount)
            AS l (merchant_id, id, verb, at, debit, debit_owner, credit, credit_owner, amount_fen)
        JOIN ledger_kind ON kind = debit
        GROUP BY merchant_id, id, unit
    ) AS w;
    WITH written AS (
        INSERT INTO ledger_transfer SELECT * FROM unnest(wanted) ON CONFLICT DO NOTHING RETURNING merchant_id, id, unit
    )
    SELECT array_agg(merchant_id), array_agg(id), array_agg(unit) INTO fresh_merchant, fresh_id, fresh_unit
    FROM written;
    IF EXISTS (
        SELECT FROM unnest(wanted) w JOIN ledger_transfer t USING (merchant_id, id, unit) WHERE t.digest <> w.digest
    ) THEN
        RAISE 'a transfer of this id has other lines' USING ERRCODE = 'HF102';
    END IF;
    IF fresh_id IS NULL THEN RETURN 0; END IF;

    PERFORM FROM ledger_account a
    WHERE (a.merchant_id, a.kind, a.owner) IN (
        SELECT * FROM unnest(_merchant || _merchant, _debit || _credit, _debit_owner || _credit_owner))
    ORDER BY a.merchant_id, a.id FOR UPDATE;

    WITH line AS (
        SELECT l.merchant_id, l.id, d.unit, d.id AS debit_id, c.id AS credit_id, l.amount_fen, l.no
        FROM unnest(_merchant, _transfer, _debit, _debit_owner, _credit, _credit_owner, _amount) WITH ORDINALITY
            AS l (merchant_id, id, debit, debit_owner, credit, credit_owner, amount_fen, no)
        JOIN ledger_account d ON (d.merchant_id, d.kind, d.owner) = (l.merchant_id, l.debit, l.debit_owner)
        JOIN ledger_account c ON (c.merchant_id, c.kind, c.owner) = (l.merchant_id, l.credit, l.credit_owner)
        JOIN unnest(fresh_merchant, fresh_id, fresh_unit) AS f (merchant_id, id, unit)
            ON (f.merchant_id, f.id, f.unit) = (l.merchant_id, l.id, d.unit)
    ), entry AS (
        INSERT INTO ledger_entry (merchant_id, transfer_id, unit, no, debit_id, credit_id, amount_fen)
        SELECT merchant_id, id, unit, row_number() OVER (PARTITION BY merchant_id, id, unit ORDER BY no),
               debit_id, credit_id, amount_fen
        FROM line
    ), moved AS (
        SELECT merchant_id, account_id, sum(debit_fen)::bigint AS debit_fen
        FROM (SELECT merchant_id, debit_id AS account_id, amount_fen AS debit_fen FROM line
              UNION ALL SELECT merchant_id, credit_id, -amount_fen FROM line) AS half
        GROUP BY 1, 2
    ), stands AS (
        UPDATE ledger_account a
        SET balance_fen = a.balance_fen + CASE a.grows_by WHEN 'debit' THEN m.debit_fen ELSE -m.debit_fen END
        FROM moved m
        WHERE a.merchant_id = m.merchant_id AND a.id = m.account_id AND m.debit_fen <> 0
        RETURNING a.merchant_id, a.kind, a.owner, a.balance_fen, a.unit
    )
    SELECT array_agg(n.said) INTO notices FROM (
        -- 85 of at most 87 bytes each stay below what a notice may carry, 7,999.
        SELECT '[' || string_agg(format('[%s,"%s",%s,%s]', s.merchant_id, s.kind, s.owner, s.balance_fen), ',') || ']'
        FROM (SELECT *, row_number() OVER () AS no FROM stands WHERE unit = 'CNY.Q') s GROUP BY s.no / 85
    ) n (said);
    PERFORM pg_notify('houfu_limits', said) FROM unnest(notices) n (said);
    RETURN cardinality(fresh_id);
END $$;
GRANT EXECUTE ON FUNCTION ledger_post_v1 TO houfu_app;
