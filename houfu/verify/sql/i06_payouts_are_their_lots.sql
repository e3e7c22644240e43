-- I-06: a payout is the sum of the lots it pays out.
SELECT p.merchant_id, p.id AS payout_id, p.amount_fen, coalesce(sum(a.amount_fen), 0) AS allocated_fen
FROM payouts_payout p LEFT JOIN payouts_allocation a ON (a.merchant_id, a.payout_id) = (p.merchant_id, p.id)
GROUP BY p.merchant_id, p.id, p.amount_fen HAVING coalesce(sum(a.amount_fen), 0) <> p.amount_fen
