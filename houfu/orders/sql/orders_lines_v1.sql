-- orders_line_v1: the decision on an order as one line, as the history seals it. Ids and codes hold no bar.
CREATE FUNCTION orders_line_v1(
    _no integer, _id text, _store bigint, _amount bigint, _buyer text, _at timestamptz, _own bigint, _pool bigint,
    _temp bigint, _tolerance bigint, _pool_id bigint, _reasons text
) RETURNS text LANGUAGE sql STABLE
    RETURN concat_ws('|', _no, _id, _store, _amount, coalesce(_buyer, '-'), extract(epoch FROM _at), _own, _pool, _temp,
                     _tolerance, coalesce(_pool_id, 0), coalesce(_reasons, '-'));
-- orders_step_v1: a later step of an order as one line.
CREATE FUNCTION orders_step_v1(_e orders_event) RETURNS text LANGUAGE sql STABLE
    RETURN concat_ws('|', (_e).no, (_e).order_id, (_e).verb, history_netstring_v1((_e).ref), extract(epoch FROM (_e).at),
                     (_e).fen, (_e).fee_fen, (_e).deficit_fen, (_e).recalled_fen, (_e).own_fen, (_e).pool_fen,
                     (_e).temp_fen, (_e).tolerance_fen, history_netstring_v1((_e).note));
-- orders_seal_v1: the digest of a batch's lines in their order. STABLE, so that it is inlined, as convert_to is.
CREATE FUNCTION orders_seal_v1(_lines text[]) RETURNS bytea LANGUAGE sql STABLE
    RETURN sha256(convert_to(array_to_string(_lines, E'\n'), 'UTF8'));
GRANT EXECUTE ON FUNCTION orders_line_v1, orders_step_v1, orders_seal_v1 TO houfu_app, houfu_verify;

-- orders_each_v1: what each order has of its batch: a value for each batch, told for each order, whose batch `_of` says.
CREATE FUNCTION orders_each_v1(_of integer[], _value anyarray) RETURNS anyarray LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF cardinality(_value) = 1 THEN RETURN array_fill(_value[1], ARRAY[cardinality(_of)]); END IF;
    RETURN ARRAY(SELECT _value[o.of] FROM unnest(_of) o (of));
END $$;
GRANT EXECUTE ON FUNCTION orders_each_v1 TO houfu_app;
