-- I-20: what was accepted by rule is within the amount of the pool's settings then, and weather no older than it may be.
SELECT a.merchant_id, a.id AS adjustment_id, a.kind, a.amount_fen, a.data_until
FROM limits_adjustment a
WHERE a.decided_by = 'rule' AND (a.kind = 'manual' OR NOT EXISTS (
          SELECT FROM limits_dynamic s
          WHERE (s.merchant_id, s.pool_id) = (a.merchant_id, a.pool_id) AND s.is_on AND s.auto_fen >= abs(a.amount_fen)
            AND s.valid_from = (SELECT max(x.valid_from) FROM limits_dynamic x
                                WHERE (x.merchant_id, x.pool_id) = (a.merchant_id, a.pool_id)
                                  AND x.valid_from <= a.proposed_at)))
   OR a.starts_at IS NOT NULL AND a.decided_by IS NULL
   OR a.kind = 'weather' AND a.data_until > (a.source::jsonb ->> 'observed_at')::timestamptz + (
          SELECT max((k.document::jsonb -> 'dynamic' ->> 'weather_stale_hours')::integer) FROM policies_pack k)
          * interval '1 hour'
