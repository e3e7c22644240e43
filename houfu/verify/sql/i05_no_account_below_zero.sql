-- I-05: no account is below zero but a grant of quota.
SELECT merchant_id, kind, owner, balance_fen FROM ledger_account WHERE balance_fen < 0 AND kind NOT LIKE 'q:grant:%'
