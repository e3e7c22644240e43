-- I-21: fee waivers that were claimed belong to payouts that stand, groups are as large as they say, ten at most, and
-- appeals of a month are as many as were counted.
SELECT 0::bigint AS merchant_id, 'waivers' AS what, w.claimed AS counted,
       (SELECT count(*) FROM payouts_payout WHERE waived AND state NOT IN ('failed', 'returned', 'cancelled', 'rejected', 'expired')) AS there
FROM payouts_waiver w
WHERE w.claimed <> (SELECT count(*) FROM payouts_payout WHERE waived AND state NOT IN ('failed', 'returned', 'cancelled', 'rejected', 'expired'))
UNION ALL
SELECT g.merchant_id, 'group/' || g.id, g.size, count(s.id)
FROM merchants_group g LEFT JOIN merchants_store s ON (s.merchant_id, s.group_id) = (g.merchant_id, g.id)
GROUP BY g.merchant_id, g.id, g.size HAVING g.size <> count(s.id) OR count(s.id) > 10
UNION ALL
SELECT merchant_id, 'appeals of ' || subject || ' in ' || month, max(no), count(*)
FROM risk_appeal GROUP BY merchant_id, subject, month HAVING max(no) <> count(*)
