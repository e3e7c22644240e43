-- I-14: what a pool runs by was signed by whoever must, and is what they signed: the pool itself, and every change.
WITH needed AS (
    SELECT merchant_id, 'pool/' || id AS subject, version, document, digest FROM limits_pool WHERE state IN ('active', 'frozen')
    UNION ALL
    SELECT merchant_id, 'limit_change/' || id, 1, document, digest FROM limits_change WHERE state = 'effective'
), ratio AS (
    SELECT p.merchant_id, 'pool/' || p.id AS subject, p.share, coalesce(
               (SELECT c.share FROM limits_change c WHERE (c.merchant_id, c.pool_id, c.kind, c.state)
                    = (p.merchant_id, p.id, 'share', 'effective') ORDER BY c.took_effect_at DESC, c.id DESC LIMIT 1),
               (p.document::json ->> 'share')::smallint) AS signed_share
    FROM limits_pool p WHERE p.state IN ('active', 'frozen')
)
SELECT n.merchant_id, n.subject, 'not_signed' AS fault
FROM needed n
LEFT JOIN approvals_request r ON (r.merchant_id, r.subject, r.version, r.state, r.payload)
                               = (n.merchant_id, n.subject, n.version, 'approved', n.document)
WHERE r.id IS NULL OR n.digest IS DISTINCT FROM encode(sha256(convert_to(n.document, 'UTF8')), 'hex')
UNION ALL
SELECT merchant_id, subject, 'share_differs' FROM ratio WHERE share IS DISTINCT FROM signed_share
