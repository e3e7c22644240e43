-- I-01: an entry moves between 1 and 10¹³ fen between two accounts of the unit of its transfer (W1).
SELECT e.merchant_id, e.transfer_id, e.no, e.amount_fen
FROM ledger_entry e
LEFT JOIN ledger_account d ON (d.merchant_id, d.id) = (e.merchant_id, e.debit_id)
LEFT JOIN ledger_account c ON (c.merchant_id, c.id) = (e.merchant_id, e.credit_id)
LEFT JOIN ledger_transfer t ON (t.merchant_id, t.id, t.unit) = (e.merchant_id, e.transfer_id, e.unit)
WHERE t.id IS NULL OR d.id IS NULL OR c.id IS NULL OR d.unit <> e.unit OR c.unit <> e.unit OR d.id = c.id
   OR e.amount_fen NOT BETWEEN 1 AND 10000000000000 OR (e.unit = 'CNY.Q') <> (d.kind LIKE 'q:%')
   OR (e.unit = 'CNY.Q') <> (c.kind LIKE 'q:%')
