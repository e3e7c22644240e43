-- I-10: an order's state is the one that its lot has reached.
SELECT o.merchant_id, o.id AS order_id, o.state, l.settled_at, l.matured_at
FROM orders_order o LEFT JOIN orders_lot l USING (merchant_id, id)
WHERE CASE coalesce(o.state_before_dispute, o.state)
          WHEN 'received' THEN l.id IS NULL OR l.settled_at IS NOT NULL
          WHEN 'overdue' THEN l.id IS NULL OR l.settled_at IS NOT NULL
          WHEN 'settled' THEN l.settled_at IS NULL OR l.matured_at IS NOT NULL
          WHEN 'matured' THEN l.matured_at IS NULL
          WHEN 'closed' THEN l.matured_at IS NULL OR l.left_fen <> 0
          WHEN 'refunded' THEN o.refunded_fen <> o.amount_fen
          WHEN 'written_off' THEN l.lost_fen IS NULL OR l.lost_fen + l.refunded_fen <> l.gross_fen
          ELSE l.id IS NOT NULL
      END
