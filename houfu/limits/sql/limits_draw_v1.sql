-- limits_draw_v1: decide a batch of demands for limit exactly, one after another in the order given.
-- Each demand is met in full or not at all, from own → pool within the ratio → temporary loan → tolerance (G6, O6).
-- A demand refused in the middle leaves its room to later ones. Rows name their merchant; no row meets another's.
-- Every account a demand may touch is locked first, in the ledger's order; then facts and balances are read afresh.
-- The caller moves the quota, with limits_book_v1. `_gate` is what of a pool may be used unfiled, by the policy at each
-- demand's instant.
-- Returns one row of arrays: the four legs (all zero when refused), the pool drawn from, and every reason to refuse,
-- with commas between:
--   store_unknown, store_frozen, store_closed, loan_overdue, limit_exceeded, tolerance_note_missing.
CREATE FUNCTION limits_draw_v1(
    _tolerance_permille bigint[], _merchant bigint[], _store bigint[], _amount bigint[], _at timestamptz[],
    _gate bigint[]
) RETURNS TABLE (own_fen bigint[], pool_fen bigint[], temp_fen bigint[], tolerance_fen bigint[], pool_id bigint[],
                 reasons text[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    -- One element for each store of the batch …
    s_merchant bigint[]; s_store bigint[]; s_state text[]; s_pool_id bigint[]; s_share bigint[]; s_pool_open boolean[];
    s_loan_due timestamptz[]; s_noted_from timestamptz[]; s_noted_until timestamptz[]; s_pool integer[];
    s_limit bigint[]; s_dynamic boolean[];
    own_free bigint[]; own_limit bigint[]; pool_used bigint[]; temp_free bigint[]; temp_limit bigint[]; tol_used bigint[];
    -- … one for each pool …
    p_merchant bigint[]; p_id bigint[]; pool_free bigint[]; pool_limit bigint[];
    -- … and one for each demand.
    d_store integer[]; d_usable bigint[];
    d_own bigint[] := array_fill(0::bigint, ARRAY[cardinality(_store)]);
    d_pool bigint[] := d_own; d_temp bigint[] := d_own; d_tol bigint[] := d_own;
    d_pool_id bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(_store)]);
    d_reasons text[] := array_fill(NULL::text, ARRAY[cardinality(_store)]);
    -- Accounts of a store in the order in which they are locked and read.
    kinds CONSTANT text[] := ARRAY['q:own:free', 'q:own:held', 'q:own:drawn', 'q:pool:held', 'q:pool:drawn',
        'q:temp:free', 'q:temp:held', 'q:temp:drawn', 'q:tolerance:held', 'q:tolerance:drawn', 'q:grant:tolerance'];
    width CONSTANT integer := cardinality(kinds);
    stores integer;
    b bigint[];
    s integer; p integer; need bigint; own bigint; pool bigint; temp bigint; room bigint; reason text;
BEGIN
    SELECT coalesce(array_agg(f.merchant_id ORDER BY f.merchant_id, f.store_id), '{}'),
           coalesce(array_agg(f.store_id ORDER BY f.merchant_id, f.store_id), '{}')
    INTO s_merchant, s_store
    FROM (SELECT array_agg(merchant_id) AS merchants, array_agg(store_id) AS stores
          FROM (SELECT DISTINCT * FROM unnest(_merchant, _store) x (merchant_id, store_id)) y) w,
         limits_facts_v1(w.merchants, w.stores) f;
    stores := cardinality(s_store);
    SELECT coalesce(array_agg(w.merchant_id ORDER BY w.merchant_id, w.pool_id), '{}'),
           coalesce(array_agg(w.pool_id ORDER BY w.merchant_id, w.pool_id), '{}')
    INTO p_merchant, p_id
    FROM (SELECT DISTINCT f.merchant_id, f.pool_id FROM limits_facts_v1(s_merchant, s_store) f
          WHERE f.pool_id IS NOT NULL) w;

    SELECT array_agg(l.balance_fen ORDER BY l.no) INTO b
    FROM (SELECT array_agg(x.merchant_id ORDER BY x.part, x.place, x.kind_no) AS merchants,
                 array_agg(x.kind ORDER BY x.part, x.place, x.kind_no) AS kinds,
                 array_agg(x.owner ORDER BY x.part, x.place, x.kind_no) AS owners
          FROM (SELECT 1 AS part, st.place, k.kind_no, st.merchant_id, k.kind, st.store_id AS owner
                FROM unnest(s_merchant, s_store) WITH ORDINALITY st (merchant_id, store_id, place)
                CROSS JOIN unnest(kinds) WITH ORDINALITY k (kind, kind_no)
                UNION ALL
                SELECT 2, po.place, 1, po.merchant_id, 'q:pool:free', po.pool_id
                FROM unnest(p_merchant, p_id) WITH ORDINALITY po (merchant_id, pool_id, place)) x) wanted,
         ledger_lock_v1(wanted.merchants, wanted.kinds, wanted.owners) l;

    SELECT array_agg(f.state ORDER BY st.place), array_agg(f.pool_id ORDER BY st.place),
           array_agg(f.share ORDER BY st.place), array_agg(f.pool_open ORDER BY st.place),
           array_agg(f.loan_due_at ORDER BY st.place), array_agg(f.noted_from ORDER BY st.place),
           array_agg(f.noted_until ORDER BY st.place), array_agg(po.place::integer ORDER BY st.place),
           array_agg(f.pool_limit_fen ORDER BY st.place), array_agg(f.pool_dynamic ORDER BY st.place)
    INTO s_state, s_pool_id, s_share, s_pool_open, s_loan_due, s_noted_from, s_noted_until, s_pool, s_limit, s_dynamic
    FROM unnest(s_merchant, s_store) WITH ORDINALITY st (merchant_id, store_id, place)
    JOIN limits_facts_v1(s_merchant, s_store) f USING (merchant_id, store_id)
    LEFT JOIN unnest(p_merchant, p_id) WITH ORDINALITY po (merchant_id, pool_id, place)
        ON po.merchant_id = f.merchant_id AND po.pool_id = f.pool_id;
    IF EXISTS (SELECT FROM unnest(s_pool_id, s_pool) x (pool_id, place) WHERE pool_id IS NOT NULL AND place IS NULL) THEN
        RAISE 'a store joined a pool meanwhile' USING ERRCODE = '40001';
    END IF;
    -- What of its pool may be used at each demand's instant; NULL where nothing caps it.
    SELECT array_agg(st.place::integer ORDER BY d.no), array_agg(u.usable_fen ORDER BY d.no) INTO d_store, d_usable
    FROM unnest(_merchant, _store, _at, _gate) WITH ORDINALITY d (merchant_id, store_id, at, gate, no)
    LEFT JOIN unnest(s_merchant, s_store, s_pool_id, s_limit, s_dynamic) WITH ORDINALITY
        st (merchant_id, store_id, pool_id, limit_fen, dynamic, place) USING (merchant_id, store_id)
    LEFT JOIN LATERAL limits_pool_usable_v1(st.merchant_id, st.pool_id, d.at, d.gate) u
        ON st.dynamic OR st.limit_fen > d.gate;

    FOR s IN 1 .. stores LOOP
        own_free[s] := b[(s - 1) * width + 1];
        own_limit[s] := b[(s - 1) * width + 1] + b[(s - 1) * width + 2] + b[(s - 1) * width + 3];
        pool_used[s] := b[(s - 1) * width + 4] + b[(s - 1) * width + 5];
        temp_free[s] := b[(s - 1) * width + 6];
        temp_limit[s] := b[(s - 1) * width + 6] + b[(s - 1) * width + 7] + b[(s - 1) * width + 8];
        tol_used[s] := b[(s - 1) * width + 9] + b[(s - 1) * width + 10];
    END LOOP;
    FOR p IN 1 .. cardinality(p_id) LOOP
        pool_free[p] := b[stores * width + p];
    END LOOP;
    FOR s IN 1 .. stores LOOP
        IF s_pool[s] IS NOT NULL THEN pool_limit[s_pool[s]] := s_limit[s]; END IF;
    END LOOP;

    FOR i IN 1 .. cardinality(_store) LOOP
        s := d_store[i];
        p := s_pool[s];
        reason := NULL;
        IF s IS NULL THEN
            d_reasons[i] := 'store_unknown';
            CONTINUE;
        END IF;
        IF s_state[s] <> 'active' THEN reason := 'store_' || s_state[s]; END IF;
        IF s_loan_due[s] < _at[i] THEN reason := concat_ws(',', reason, 'loan_overdue'); END IF;

        own := least(_amount[i], own_free[s]);
        room := CASE WHEN s_pool_open[s]
                THEN greatest(least(pool_free[p], d_usable[i] - (pool_limit[p] - pool_free[p]),
                                    s_share[s] * own_limit[s] - pool_used[s]), 0) ELSE 0 END;
        pool := least(_amount[i] - own, room);
        temp := least(_amount[i] - own - pool, temp_free[s]);
        need := _amount[i] - own - pool - temp;
        IF need > 0 THEN
            -- The band is measured on what the store could carry now: own limit, its reach into the pool, its loan.
            IF need > (own_limit[s] + pool_used[s] + room + temp_limit[s]) * (_tolerance_permille[i] - 1000) / 1000
                      - tol_used[s] THEN
                reason := concat_ws(',', reason, 'limit_exceeded');
            ELSIF _at[i] < s_noted_from[s] OR _at[i] >= s_noted_until[s] OR s_noted_from[s] IS NULL THEN
                reason := concat_ws(',', reason, 'tolerance_note_missing');
            END IF;
        END IF;
        IF reason IS NOT NULL THEN
            d_reasons[i] := reason;
            CONTINUE;
        END IF;
        d_own[i] := own; d_pool[i] := pool; d_temp[i] := temp; d_tol[i] := need;
        own_free[s] := own_free[s] - own;
        IF pool > 0 THEN
            d_pool_id[i] := s_pool_id[s];
            pool_free[p] := pool_free[p] - pool;
            pool_used[s] := pool_used[s] + pool;
        END IF;
        temp_free[s] := temp_free[s] - temp;
        tol_used[s] := tol_used[s] + need;
    END LOOP;

    RETURN QUERY SELECT d_own, d_pool, d_temp, d_tol, d_pool_id, d_reasons;
END $$;
GRANT EXECUTE ON FUNCTION limits_draw_v1 TO houfu_app;
