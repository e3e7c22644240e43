-- I-06: what payouts hold of a lot is what the lot says, and never more than its net of refunds and splits (W2).
SELECT l.merchant_id, l.id AS order_id, l.allocated_fen, coalesce(a.fen, 0) AS payouts_fen,
       l.gross_fen - l.fee_fen - l.refunded_fen - l.lost_fen + l.deficit_fen - l.split_fen AS net_fen
FROM orders_lot l
LEFT JOIN (SELECT a.merchant_id, a.order_id, sum(a.amount_fen) AS fen
           FROM payouts_allocation a JOIN payouts_payout p ON (p.merchant_id, p.id) = (a.merchant_id, a.payout_id)
           WHERE p.state NOT IN ('failed', 'returned', 'cancelled', 'rejected', 'expired') GROUP BY 1, 2) a
     ON (a.merchant_id, a.order_id) = (l.merchant_id, l.id)
WHERE l.allocated_fen <> coalesce(a.fen, 0)
   OR l.allocated_fen + l.offset_fen + l.disputed_fen
      > l.gross_fen - l.fee_fen - l.refunded_fen - l.lost_fen + l.deficit_fen - l.split_fen
