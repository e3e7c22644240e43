-- I-14: signatures that stand are the steps of their chain in order, each by a passkey or a seal of its signer's, by
-- persons who count once and who neither ask nor edit; and a request's turn counts them.
WITH stands AS (SELECT * FROM approvals_signature WHERE struck_at IS NULL)
SELECT r.merchant_id, r.id AS request_id, 'not as many as its turn says' AS what, r.turn AS step
FROM approvals_request r LEFT JOIN stands s ON (s.merchant_id, s.request_id) = (r.merchant_id, r.id)
GROUP BY r.merchant_id, r.id, r.turn HAVING r.turn <> count(s.id)
UNION ALL
SELECT s.merchant_id, s.request_id, 'not a step of its chain', s.step
FROM stands s JOIN approvals_request r ON (r.merchant_id, r.id) = (s.merchant_id, s.request_id)
WHERE s.role IS DISTINCT FROM r.chain[s.step + 1] OR s.signed_at < r.opened_at OR s.signed_at >= r.expires_at
UNION ALL
SELECT s.merchant_id, s.request_id, 'by who asks or edits', s.step
FROM stands s JOIN approvals_request r ON (r.merchant_id, r.id) = (s.merchant_id, s.request_id)
WHERE s.stands_for && (r.editors || r.person)
UNION ALL
SELECT b.merchant_id, b.request_id, 'one person twice, or before the step before it', b.step
FROM stands a JOIN stands b ON (b.merchant_id, b.request_id) = (a.merchant_id, a.request_id) AND b.step > a.step
WHERE a.stands_for && b.stands_for OR a.signed_at > b.signed_at
UNION ALL
SELECT s.merchant_id, s.request_id, 'not by its signer', s.step
FROM stands s LEFT JOIN people_staff p ON (p.merchant_id, p.id) = (s.merchant_id, s.staff_id)
WHERE s.person IS DISTINCT FROM 'person/' || p.person_id
   OR s.seal IS NULL AND NOT EXISTS (
       SELECT FROM people_passkey k
       WHERE k.merchant_id = s.merchant_id AND k.staff_id = s.staff_id AND k.credential_id = s.credential_id
         AND k.added_at <= s.signed_at AND (k.removed_at IS NULL OR k.removed_at > s.signed_at))
UNION ALL
SELECT s.merchant_id, s.request_id, 'by a role that was not lent', s.step
FROM stands s LEFT JOIN approvals_delegation d ON (d.merchant_id, d.id) = (s.merchant_id, s.delegation_id)
WHERE s.delegation_id IS NOT NULL
  AND (d.delegate_staff_id, d.role) IS DISTINCT FROM (s.staff_id, s.role)
   OR d.person <> ALL (s.stands_for) OR s.signed_at < d.starts_at OR s.signed_at >= d.ends_at OR s.signed_at >= d.ended_at
