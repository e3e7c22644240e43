-- I-27: every balance is what its entries add up to.
WITH half AS (
    SELECT merchant_id, debit_id AS id, sum(amount_fen) AS debit_fen FROM ledger_entry GROUP BY 1, 2
    UNION ALL SELECT merchant_id, credit_id, -sum(amount_fen) FROM ledger_entry GROUP BY 1, 2
), rebuilt AS (
    SELECT merchant_id, id, sum(debit_fen) AS debit_fen FROM half GROUP BY 1, 2
)
SELECT a.merchant_id, a.kind, a.owner, a.balance_fen,
       coalesce(CASE a.grows_by WHEN 'debit' THEN r.debit_fen ELSE -r.debit_fen END, 0) AS rebuilt_fen
FROM ledger_account a LEFT JOIN rebuilt r USING (merchant_id, id)
WHERE a.balance_fen <> coalesce(CASE a.grows_by WHEN 'debit' THEN r.debit_fen ELSE -r.debit_fen END, 0)
