-- I-18: a merchant's internal score is the sum of its events, and what undoes one undoes all of it.
SELECT coalesce(s.merchant_id, e.merchant_id) AS merchant_id, coalesce(s.points, 0) AS kept, coalesce(e.points, 0) AS counted
FROM risk_score s
FULL JOIN (SELECT merchant_id, sum(points) AS points FROM risk_score_event GROUP BY 1) e ON e.merchant_id = s.merchant_id
WHERE coalesce(s.points, 0) <> coalesce(e.points, 0)
UNION ALL
SELECT u.merchant_id, u.points, -e.points
FROM risk_score_event u JOIN risk_score_event e ON (e.merchant_id, e.id) = (u.merchant_id, u.counters_id)
WHERE u.points <> -e.points
