-- I-16: every order is of a store of its own merchant.
SELECT o.merchant_id, o.id AS order_id, o.store_id
FROM orders_order o LEFT JOIN merchants_store s ON s.merchant_id = o.merchant_id AND s.id = o.store_id
WHERE s.id IS NULL
