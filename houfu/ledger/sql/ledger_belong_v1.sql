-- ledger_belong_v1: refuse entries whose transfer or accounts are not there in the entry's unit (I-02, W1): what foreign
-- keys would say, by the same names, asked once for all entries of a statement instead of three times for each. Neither
-- transfers nor accounts can go or change their unit (see tables.sql), so that nothing needs to be locked for it.
CREATE FUNCTION ledger_belong_v1() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    laws CONSTANT text[] := '{ledger_entry_of_transfer,ledger_entry_debit_unit,ledger_entry_credit_unit}';
    broken integer;
BEGIN
    SELECT CASE WHEN t.id IS NULL THEN 1 WHEN d.id IS NULL THEN 2 ELSE 3 END INTO broken
    FROM entries e
    LEFT JOIN ledger_transfer t ON (t.merchant_id, t.id, t.unit) = (e.merchant_id, e.transfer_id, e.unit)
    LEFT JOIN ledger_account d ON (d.merchant_id, d.id) = (e.merchant_id, e.debit_id) AND d.unit = e.unit
    LEFT JOIN ledger_account c ON (c.merchant_id, c.id) = (e.merchant_id, e.credit_id) AND c.unit = e.unit
    WHERE t.id IS NULL OR d.id IS NULL OR c.id IS NULL LIMIT 1;
    IF broken IS NOT NULL THEN
        RAISE foreign_key_violation USING CONSTRAINT = laws[broken], TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entry_belongs AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_belong_v1();
