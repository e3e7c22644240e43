-- I-18: a payout's business day is that of Shanghai at the instant it was asked for.
SELECT merchant_id, id AS payout_id, requested_at, business_day FROM payouts_payout
WHERE business_day <> (requested_at AT TIME ZONE 'Asia/Shanghai')::date
