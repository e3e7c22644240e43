-- I-19: automatic payouts ran on workdays only.
SELECT r.merchant_id, r.store_id, r.run_day FROM payouts_run r LEFT JOIN calendars_day d ON d.day = r.run_day
WHERE NOT coalesce(d.workday, extract(isodow FROM r.run_day) < 6)
