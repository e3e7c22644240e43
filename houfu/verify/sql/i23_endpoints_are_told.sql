-- I-23: no endpoint has looked further than its chain goes, every link that it has looked at and that its verbs name has
-- a delivery, and every delivery has a link.
SELECT e.merchant_id, e.id AS endpoint_id, e.cursor AS seq, 'ahead of its chain' AS fault
FROM webhooks_endpoint e LEFT JOIN history_head h ON h.merchant_id = e.merchant_id
WHERE e.cursor > coalesce(h.seq, 0)
UNION ALL
SELECT e.merchant_id, e.id, l.seq, 'not told'
FROM webhooks_endpoint e
JOIN history_link l ON l.merchant_id = e.merchant_id AND l.seq > e.told_from AND l.seq <= e.cursor
LEFT JOIN webhooks_delivery d ON (d.merchant_id, d.endpoint_id, d.seq) = (e.merchant_id, e.id, l.seq)
WHERE d.id IS NULL
  AND (ARRAY[l.verb, split_part(l.verb, '.', 1) || '.*', '*'] && e.verbs
       AND (e.store_ids IS NULL OR l.subject = ANY (SELECT 'store/' || s FROM unnest(e.store_ids) s))
       OR (l.verb = 'endpoint.tested' AND l.subject = 'endpoint/' || e.id))
UNION ALL
SELECT d.merchant_id, d.endpoint_id, d.seq, 'tells of nothing'
FROM webhooks_delivery d LEFT JOIN history_link l ON (l.merchant_id, l.seq) = (d.merchant_id, d.seq)
WHERE l.seq IS NULL
