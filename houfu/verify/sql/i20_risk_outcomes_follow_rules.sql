-- I-20: a decision's outcome is the strongest effect of the versions that were active and hit, as it recorded them.
WITH said AS (
    SELECT d.merchant_id, d.id, d.subject, d.outcome,
           coalesce(min(CASE a ->> 'effect' WHEN 'hold' THEN 1 WHEN 'score' THEN 2 ELSE 3 END)
                    FILTER (WHERE a ->> 'mode' = 'active' AND (a ->> 'hit')::boolean), 4) AS strongest
    FROM risk_decision d LEFT JOIN LATERAL jsonb_array_elements(d.applied::jsonb) a ON true
    GROUP BY d.merchant_id, d.id, d.subject, d.outcome
)
SELECT merchant_id, id AS decision_id, subject, outcome FROM said
WHERE outcome <> (ARRAY['hold', 'score', 'alert', 'allow'])[strongest]
