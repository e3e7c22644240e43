-- I-23: no active endpoint waits for a link, no delivery for its next attempt, and no endpoint that failed for another
-- trial, while its merchant's chain has gone on for more than a day; no round of attempts goes beyond three days; every
-- delivery has all its attempts, and what is delivered was accepted once.
SELECT e.merchant_id, e.id AS endpoint_id, l.seq, 'link waits' AS fault
FROM webhooks_endpoint e
JOIN history_link l ON (l.merchant_id, l.seq) = (e.merchant_id, e.cursor + 1)
WHERE e.state = 'active'
  AND EXISTS (SELECT FROM history_link n WHERE n.merchant_id = e.merchant_id AND n.at > l.at + interval '1 day')
UNION ALL
SELECT d.merchant_id, d.endpoint_id, d.seq, 'delivery waits'
FROM webhooks_delivery d JOIN webhooks_endpoint e ON (e.merchant_id, e.id) = (d.merchant_id, d.endpoint_id)
WHERE d.state = 'pending' AND e.state = 'active'
  AND EXISTS (SELECT FROM history_link n WHERE n.merchant_id = d.merchant_id AND n.at > interval '1 day'
              + greatest(d.next_at, CASE WHEN e.failures > 0 THEN greatest(e.tried_at, e.rests_until) END))
UNION ALL
SELECT d.merchant_id, d.endpoint_id, d.seq, 'tried too long'
FROM webhooks_delivery d WHERE d.state = 'pending' AND d.next_at > d.since + interval '3 days'
UNION ALL
SELECT d.merchant_id, d.endpoint_id, d.seq, 'attempts missing'
FROM webhooks_delivery d
WHERE d.attempts <> (SELECT count(*) FROM webhooks_attempt a WHERE (a.merchant_id, a.delivery_id) = (d.merchant_id, d.id))
   OR d.state = 'delivered' AND NOT EXISTS (
       SELECT FROM webhooks_attempt a
       WHERE (a.merchant_id, a.delivery_id) = (d.merchant_id, d.id) AND a.outcome = 'delivered')
