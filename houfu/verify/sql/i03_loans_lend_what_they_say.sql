-- I-03: a store's lent limit is the open part of its loan, and no loan was repaid beyond its amount.
SELECT coalesce(l.merchant_id, b.merchant_id) AS merchant_id, coalesce(l.store_id, b.owner) AS store_id,
       coalesce(l.fen, 0) AS loan_fen, coalesce(b.fen, 0) AS booked_fen
FROM (SELECT merchant_id, store_id, sum(amount_fen - repaid_fen) AS fen FROM limits_loan GROUP BY 1, 2) l
FULL JOIN (SELECT merchant_id, owner, sum(balance_fen) AS fen FROM ledger_account
           WHERE kind IN ('q:temp:free', 'q:temp:held', 'q:temp:drawn') GROUP BY 1, 2) b
     ON (b.merchant_id, b.owner) = (l.merchant_id, l.store_id)
WHERE coalesce(l.fen, 0) <> coalesce(b.fen, 0)
