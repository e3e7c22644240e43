-- I-02: in each unit, what stands on the debit side of a merchant's books equals what stands on the credit side.
SELECT merchant_id, unit, sum(balance_fen) FILTER (WHERE grows_by = 'debit') AS debit_fen,
       sum(balance_fen) FILTER (WHERE grows_by = 'credit') AS credit_fen
FROM ledger_account GROUP BY merchant_id, unit
HAVING coalesce(sum(balance_fen) FILTER (WHERE grows_by = 'debit'), 0)
    <> coalesce(sum(balance_fen) FILTER (WHERE grows_by = 'credit'), 0)
