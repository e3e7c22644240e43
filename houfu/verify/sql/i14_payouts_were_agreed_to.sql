-- I-14: what was sent was agreed to by its chain, was let go by risk where risk held it, and counts what it joined.
SELECT p.merchant_id, p.id,
       CASE WHEN a.request_no IS NOT NULL AND p.chain <> '{}' AND r.id IS NULL THEN 'not_agreed'
            WHEN a.request_no IS NOT NULL AND p.hold_class <> '' AND h.state IS DISTINCT FROM 'released' THEN 'not_let_go'
            ELSE 'sum_differs' END AS fault
FROM payouts_payout p
LEFT JOIN payouts_attempt a ON (a.merchant_id, a.payout_id) = (p.merchant_id, p.id)
LEFT JOIN approvals_request r ON (r.merchant_id, r.id, r.state, r.chain) = (p.merchant_id, p.id, 'approved', p.chain)
LEFT JOIN risk_hold h ON (h.merchant_id, h.subject) = (p.merchant_id, 'payout/' || p.id)
LEFT JOIN LATERAL (SELECT sum(j.amount_fen) AS fen FROM payouts_joined j
                   WHERE (j.merchant_id, j.payout_id) = (p.merchant_id, p.id)) j ON true
WHERE (a.request_no IS NOT NULL AND p.chain <> '{}' AND r.id IS NULL)
   OR (a.request_no IS NOT NULL AND p.hold_class <> '' AND h.state IS DISTINCT FROM 'released')
   OR p.aggregated_fen <> p.amount_fen + coalesce(j.fen, 0)
