-- I-08: a payout, split or return that was ever sent has one attempt with a number of its own; one that was not has none.
SELECT p.merchant_id, p.id AS payout_id, p.state, a.request_no
FROM payouts_payout p LEFT JOIN payouts_attempt a ON (a.merchant_id, a.payout_id) = (p.merchant_id, p.id)
WHERE (p.state IN ('submitting', 'submitted', 'unknown', 'paid', 'failed', 'returned')) <> (a.request_no IS NOT NULL)
UNION ALL
SELECT s.merchant_id, NULL, 'split/' || s.id || ' is ' || s.state, a.request_no
FROM splits_split s LEFT JOIN splits_attempt a ON (a.merchant_id, a.split_id) = (s.merchant_id, s.id)
WHERE (s.state NOT IN ('scheduled', 'cancelled')) <> (a.request_no IS NOT NULL)
UNION ALL
SELECT r.merchant_id, NULL, 'split_return/' || r.id || ' is ' || r.state, a.request_no
FROM splits_return r LEFT JOIN splits_attempt a ON (a.merchant_id, a.return_id) = (r.merchant_id, r.id)
WHERE (r.state NOT IN ('waiting', 'scheduled', 'taken_off')) <> (a.request_no IS NOT NULL)
UNION ALL
SELECT merchant_id, NULL, 'number used twice', request_no
FROM payouts_attempt GROUP BY merchant_id, request_no HAVING count(*) > 1
