-- ledger_lock_v1: lock accounts in the one order, then read their balances; `no` is the place in the arrays.
-- The read is a statement of its own: one that locks and reads at once sees what was before it waited.
-- Refuses with HF101 (no such kind of account).
CREATE FUNCTION ledger_lock_v1(_merchant bigint[], _kind text[], _owner bigint[])
    RETURNS TABLE (no bigint, balance_fen bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
    SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    PERFORM kernel_enter_v1();
    PERFORM ledger_open_v1(_merchant, _kind, _owner);
    PERFORM FROM ledger_account a
    WHERE (a.merchant_id, a.kind, a.owner) IN (SELECT * FROM unnest(_merchant, _kind, _owner))
    ORDER BY a.merchant_id, a.id FOR UPDATE;
    RETURN QUERY
    SELECT w.no, a.balance_fen
    FROM unnest(_merchant, _kind, _owner) WITH ORDINALITY w (merchant_id, kind, owner, no)
    JOIN ledger_account a USING (merchant_id, kind, owner) ORDER BY w.no;
END $$;
GRANT EXECUTE ON FUNCTION ledger_lock_v1 TO houfu_app;
