-- I-14: what a party stands on, and how a store's orders are divided, was agreed to by another person than who asked.
SELECT p.merchant_id, 'party/' || p.id AS subject, p.state
FROM splits_party p
WHERE p.state = 'confirmed' AND NOT EXISTS (
    SELECT FROM approvals_request r
    WHERE (r.merchant_id, r.subject, r.state) = (p.merchant_id, 'party/' || p.id, 'approved')
      AND r.payload::jsonb @> jsonb_build_object('account_digest', encode(p.account_digest, 'hex'), 'contract', p.contract,
                                                 'valid_from', p.valid_from, 'valid_until', p.valid_until))
UNION ALL
SELECT u.merchant_id, 'split_rule/' || u.id, u.state
FROM splits_rule u
WHERE u.state = 'approved' AND NOT EXISTS (
    SELECT FROM approvals_request r
    WHERE (r.merchant_id, r.subject, r.state) = (u.merchant_id, 'split_rule/' || u.id, 'approved')
      AND (r.payload::jsonb ->> 'store')::bigint = u.store_id
      AND jsonb_array_length(r.payload::jsonb -> 'shares') = (
          SELECT count(*) FROM splits_share h WHERE (h.merchant_id, h.rule_id) = (u.merchant_id, u.id))
      AND NOT EXISTS (
          SELECT FROM splits_share h
          WHERE (h.merchant_id, h.rule_id) = (u.merchant_id, u.id)
            AND NOT r.payload::jsonb -> 'shares' @> jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
                'party', h.party_id, 'permille', h.permille, 'fixed_fen', h.fixed_fen)))))
