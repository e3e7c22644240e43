-- payouts_write_v1: write payouts, and the parts of lots that they pay out. Rows name their merchant; a chain is the
-- names of its roles with commas between.
CREATE FUNCTION payouts_write_v1(
    _merchant bigint[], _id uuid[], _store bigint[], _channel_account bigint[], _beneficiary bigint[], _kind text[],
    _purpose text[], _tax_category text[], _amount bigint[], _fee bigint[], _waived boolean[], _policy text[],
    _state text[], _requested_by text[], _person text[], _staff bigint[], _device text[], _aggregated bigint[],
    _hold_class text[], _requested_at timestamptz[], _business_day date[], _due_at timestamptz[],
    _arrives_by timestamptz[], _next_action_at timestamptz[], _chain text[],
    _part_merchant bigint[], _part_payout uuid[], _part_order text[], _part_amount bigint[], _part_generation integer[]
) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO payouts_payout (merchant_id, id, store_id, channel_account_id, beneficiary_id, kind, purpose, tax_category,
                                amount_fen, fee_fen, waived, policy, state, requested_by, person, staff_id, device,
                                aggregated_fen, hold_class, requested_at, business_day, due_at, arrives_by,
                                next_action_at, chain)
    SELECT p.merchant_id, p.id, p.store, p.channel_account, p.beneficiary, p.kind, p.purpose, p.tax_category, p.amount,
           p.fee, p.waived, p.policy, p.state, p.requested_by, p.person, p.staff, p.device, p.aggregated, p.hold_class,
           p.requested_at, p.business_day, p.due_at, p.arrives_by, p.next_action_at, string_to_array(p.chain, ',')
    FROM unnest(_merchant, _id, _store, _channel_account, _beneficiary, _kind, _purpose, _tax_category, _amount, _fee,
                _waived, _policy, _state, _requested_by, _person, _staff, _device, _aggregated, _hold_class,
                _requested_at, _business_day, _due_at, _arrives_by, _next_action_at, _chain)
        p (merchant_id, id, store, channel_account, beneficiary, kind, purpose, tax_category, amount, fee, waived, policy,
           state, requested_by, person, staff, device, aggregated, hold_class, requested_at, business_day, due_at,
           arrives_by, next_action_at, chain);
    INSERT INTO payouts_allocation (merchant_id, payout_id, order_id, amount_fen, generation)
    SELECT * FROM unnest(_part_merchant, _part_payout, _part_order, _part_amount, _part_generation);
END;
GRANT EXECUTE ON FUNCTION payouts_write_v1 TO houfu_app;
