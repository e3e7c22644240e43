-- ledger_open_v1: make sure that accounts exist. Opening one that is there changes nothing.
-- Refuses with HF101 (no such kind of account).
CREATE FUNCTION ledger_open_v1(_merchant bigint[], _kind text[], _owner bigint[])
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    PERFORM kernel_enter_v1();
    IF NOT EXISTS (
        SELECT FROM unnest(_merchant, _kind, _owner) w (merchant_id, kind, owner)
        LEFT JOIN ledger_account a USING (merchant_id, kind, owner) WHERE a.id IS NULL
    ) THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM unnest(_kind) w (kind) LEFT JOIN ledger_kind k USING (kind) WHERE k.kind IS NULL) THEN
        RAISE 'no such kind of account' USING ERRCODE = 'HF101';
    END IF;
    INSERT INTO ledger_account (merchant_id, kind, owner, unit, grows_by, below_zero)
    SELECT DISTINCT merchant_id, kind, w.owner, k.unit, k.grows_by, k.below_zero
    FROM unnest(_merchant, _kind, _owner) w (merchant_id, kind, owner) JOIN ledger_kind k USING (kind)
    ORDER BY merchant_id, kind, w.owner
    ON CONFLICT DO NOTHING;
END $$;
GRANT EXECUTE ON FUNCTION ledger_open_v1 TO houfu_app;
