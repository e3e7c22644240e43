-- I-10: what is held waits for its case's first decision, and only for that.
SELECT h.merchant_id, h.subject, h.state, c.id AS case_id, c.outcome
FROM risk_hold h LEFT JOIN risk_case c ON (c.merchant_id, c.id) = (h.merchant_id, h.case_id)
WHERE (h.state = 'held') IS DISTINCT FROM (c.outcome IS NULL)
