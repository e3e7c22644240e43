-- ledger_belong_v1: refuse entries whose transfer or accounts are not there in the entry's unit (I-02, W1): what foreign
-- keys would say, by the same names, asked once for all entries of a statement instead of three times for each. Neither
-- transfers nor accounts can go or change their unit (see tables.sql), so that nothing needs to be locked for it.
-- Each is looked up along its key by a subquery of its own: a join might be planned while the tables are small, and would
-- read all of them as they grow.
CREATE FUNCTION ledger_belong_v1() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    laws CONSTANT text[] := '{ledger_entry_of_transfer,ledger_entry_debit_unit,ledger_entry_credit_unit}';
    broken integer;
BEGIN
    SELECT CASE WHEN l.transfer IS NULL THEN 1 WHEN l.debit IS NULL THEN 2 ELSE 3 END INTO broken
    FROM (SELECT (SELECT t.id FROM ledger_transfer t
                  WHERE t.merchant_id = e.merchant_id AND t.id = e.transfer_id AND t.unit = e.unit) AS transfer,
                 (SELECT a.id FROM ledger_account a
                  WHERE a.merchant_id = e.merchant_id AND a.id = e.debit_id AND a.unit = e.unit) AS debit,
                 (SELECT a.id FROM ledger_account a
                  WHERE a.merchant_id = e.merchant_id AND a.id = e.credit_id AND a.unit = e.unit) AS credit
          FROM entries e OFFSET 0) l
    WHERE l.transfer IS NULL OR l.debit IS NULL OR l.credit IS NULL LIMIT 1;
    IF broken IS NOT NULL THEN
        RAISE foreign_key_violation USING CONSTRAINT = laws[broken], TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entry_belongs AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_belong_v1();
