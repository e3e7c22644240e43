-- I-03: a pool holds what its members put in and the operator granted; a closed one has neither, and nobody draws from
-- one that was not signed for.
SELECT p.merchant_id, p.id AS pool_id, p.limit_fen, p.granted_fen, coalesce(m.fen, 0) AS contributed_fen,
       coalesce(m.present, 0) AS members
FROM limits_pool p
LEFT JOIN (SELECT merchant_id, pool_id, sum(contributed_fen) AS fen, count(*) FILTER (WHERE state <> 'removed') AS present,
                  count(*) FILTER (WHERE state IN ('probation', 'active', 'suspended')) AS taken_in
           FROM limits_member GROUP BY 1, 2) m ON (m.merchant_id, m.pool_id) = (p.merchant_id, p.id)
LEFT JOIN ledger_account l ON (l.merchant_id, l.kind, l.owner) = (p.merchant_id, 'q:lost:pool', p.id)
WHERE p.limit_fen <> CASE p.state WHEN 'closed' THEN coalesce(l.balance_fen, 0) ELSE p.granted_fen + coalesce(m.fen, 0) END
   OR (p.state = 'closed' AND coalesce(m.present, 0) > 0)
   OR (p.signed_at IS NULL AND coalesce(m.taken_in, 0) > 0)
