-- payouts: a merchant's money leaving for a bank or a wallet.

-- Where money may go (P6). The account number is sealed; its digest finds it again, its tail is shown.
CREATE TABLE payouts_beneficiary (
    merchant_id bigint NOT NULL REFERENCES merchants_merchant,
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL CONSTRAINT payouts_beneficiary_kind CHECK (kind IN ('alipay', 'bank_corporate')),
    purpose_class text NOT NULL,
    holder text NOT NULL CONSTRAINT payouts_beneficiary_holder CHECK (length(holder) BETWEEN 1 AND 100),
    account_sealed bytea NOT NULL CONSTRAINT payouts_beneficiary_sealed CHECK (length(account_sealed) > 44),
    account_digest bytea NOT NULL,
    account_tail text NOT NULL,
    state text NOT NULL CONSTRAINT payouts_beneficiary_state CHECK (state IN ('registered', 'confirmed', 'verified', 'revoked')),
    channel_state text NOT NULL CONSTRAINT payouts_beneficiary_channel_state
        CHECK (channel_state IN ('normal', 'restricted', 'closed')),
    registered_by text NOT NULL,
    person text NOT NULL,
    registered_at timestamptz NOT NULL,
    verified_person text,
    usable_from timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT payouts_beneficiary_cools CHECK (state <> 'verified' OR usable_from IS NOT NULL),
    -- Whoever checks an account against its documents is not the one who brought it, as a natural person (I-14).
    CONSTRAINT payouts_beneficiary_second_person CHECK (verified_person <> person)
);
CREATE UNIQUE INDEX payouts_beneficiary_once ON payouts_beneficiary (merchant_id, kind, account_digest)
    WHERE state <> 'revoked';
CREATE INDEX payouts_beneficiary_unconfirmed ON payouts_beneficiary (merchant_id, id) WHERE state = 'registered';

CREATE TABLE payouts_payout (
    merchant_id bigint NOT NULL,
    id uuid NOT NULL,
    store_id bigint NOT NULL,
    channel_account_id bigint NOT NULL,
    beneficiary_id bigint NOT NULL,
    kind text NOT NULL CONSTRAINT payouts_payout_kind CHECK (kind IN ('manual', 'automatic')),
    purpose text NOT NULL,
    tax_category text NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT payouts_payout_amount CHECK (amount_fen BETWEEN 1 AND 10000000000000),
    fee_fen bigint NOT NULL,
    waived boolean NOT NULL,
    policy text NOT NULL,
    state text NOT NULL CONSTRAINT payouts_payout_state CHECK (state IN (
        'pending_approval', 'risk_hold', 'scheduled', 'submitting', 'submitted', 'unknown', 'paid', 'failed', 'returned',
        'cancelled', 'rejected', 'expired')),
    code text NOT NULL DEFAULT '',
    requested_by text NOT NULL,
    person text NOT NULL,
    staff_id bigint,
    device text NOT NULL DEFAULT '',
    -- Who must agree, in this order, by the rule on the amount with all that is judged as one with it (S1–S4, P9).
    chain text[] NOT NULL DEFAULT '{}',
    aggregated_fen bigint NOT NULL,
    -- The reason class under which risk looks at it before it goes; empty where it need not (K3).
    hold_class text NOT NULL DEFAULT '',
    requested_at timestamptz NOT NULL,
    business_day date NOT NULL,
    due_at timestamptz NOT NULL,
    arrives_by timestamptz NOT NULL,
    next_action_at timestamptz,
    tries smallint NOT NULL DEFAULT 0,
    late_noted_at timestamptz,
    final_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT payouts_payout_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT payouts_payout_channel_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id),
    CONSTRAINT payouts_payout_beneficiary FOREIGN KEY (merchant_id, beneficiary_id)
        REFERENCES payouts_beneficiary (merchant_id, id),
    CONSTRAINT payouts_payout_aggregated CHECK (aggregated_fen >= amount_fen),
    CONSTRAINT payouts_payout_awaited CHECK (
        (state <> 'pending_approval' OR cardinality(chain) > 0) AND (state <> 'risk_hold' OR hold_class <> '')),
    CONSTRAINT payouts_payout_fee CHECK (fee_fen >= 0 AND fee_fen < amount_fen AND (NOT waived OR fee_fen = 0)),
    -- A row that is not final says when it will be looked at next, so that no work is lost or stuck (I-23).
    CONSTRAINT payouts_payout_final CHECK (
        (final_at IS NOT NULL) = (state IN ('paid', 'failed', 'returned', 'cancelled', 'rejected', 'expired'))
        AND (final_at IS NULL) = (next_action_at IS NOT NULL))
);
CREATE INDEX payouts_payout_next ON payouts_payout (next_action_at) WHERE next_action_at IS NOT NULL;
CREATE INDEX payouts_payout_waiting ON payouts_payout (merchant_id, id)
    WHERE state IN ('pending_approval', 'risk_hold');
CREATE INDEX payouts_payout_listing ON payouts_payout (merchant_id, requested_at, id);

-- The earlier payouts with which one was judged as one, and what they share; for compliance to see (P9).
CREATE TABLE payouts_joined (
    merchant_id bigint NOT NULL,
    payout_id uuid NOT NULL,
    joined_id uuid NOT NULL,
    amount_fen bigint NOT NULL,
    shares text[] NOT NULL CONSTRAINT payouts_joined_shares
        CHECK (cardinality(shares) > 0 AND shares <@ '{person,device,beneficiary,store}'),
    PRIMARY KEY (merchant_id, payout_id, joined_id),
    CONSTRAINT payouts_joined_payout FOREIGN KEY (merchant_id, payout_id) REFERENCES payouts_payout (merchant_id, id),
    CONSTRAINT payouts_joined_earlier FOREIGN KEY (merchant_id, joined_id) REFERENCES payouts_payout (merchant_id, id)
);

-- Which lots a payout pays out, and how much of each; together they are its amount (I-06).
CREATE TABLE payouts_allocation (
    merchant_id bigint NOT NULL,
    payout_id uuid NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT payouts_allocation_amount CHECK (amount_fen > 0),
    generation integer NOT NULL,
    PRIMARY KEY (merchant_id, payout_id, order_id),
    CONSTRAINT payouts_allocation_payout FOREIGN KEY (merchant_id, payout_id) REFERENCES payouts_payout (merchant_id, id),
    CONSTRAINT payouts_allocation_lot FOREIGN KEY (merchant_id, order_id) REFERENCES orders_lot (merchant_id, id)
);
CREATE INDEX payouts_allocation_of_lot ON payouts_allocation (merchant_id, order_id);

-- The one attempt that may send: its number comes from what is paid to whom and is committed before the first byte
-- leaves (I-08). Only `sent_at` and the answer are added.
CREATE TABLE payouts_attempt (
    merchant_id bigint NOT NULL,
    payout_id uuid NOT NULL,
    request_no text NOT NULL,
    worker text NOT NULL,
    sent_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, payout_id),
    CONSTRAINT payouts_request_no_once UNIQUE (merchant_id, request_no),
    CONSTRAINT payouts_attempt_payout FOREIGN KEY (merchant_id, payout_id) REFERENCES payouts_payout (merchant_id, id)
);

-- A store's standing order to be paid out on run days, and what became of each run day (P1).
CREATE TABLE payouts_standing_order (
    merchant_id bigint NOT NULL,
    store_id bigint NOT NULL,
    beneficiary_id bigint NOT NULL,
    purpose text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, store_id),
    CONSTRAINT payouts_standing_order_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT payouts_standing_order_beneficiary FOREIGN KEY (merchant_id, beneficiary_id)
        REFERENCES payouts_beneficiary (merchant_id, id)
);
CREATE TABLE payouts_run (
    merchant_id bigint NOT NULL,
    store_id bigint NOT NULL,
    run_day date NOT NULL,
    payout_id uuid,
    reasons text[] NOT NULL DEFAULT '{}',
    ran_at timestamptz NOT NULL,
    CONSTRAINT payouts_run_once PRIMARY KEY (merchant_id, store_id, run_day),
    CONSTRAINT payouts_run_payout FOREIGN KEY (merchant_id, payout_id) REFERENCES payouts_payout (merchant_id, id),
    CONSTRAINT payouts_run_outcome CHECK ((payout_id IS NULL) = (cardinality(reasons) > 0))
);
CREATE INDEX payouts_run_day ON payouts_run (run_day, merchant_id, store_id);

-- How many fee-free payouts the platform has given (P7): claimed at submission, returned on failure.
CREATE TABLE payouts_waiver (
    only_one boolean PRIMARY KEY DEFAULT true CONSTRAINT payouts_one_waiver CHECK (only_one),
    claimed bigint NOT NULL DEFAULT 0 CONSTRAINT payouts_waiver_claimed CHECK (claimed >= 0)
);
INSERT INTO payouts_waiver DEFAULT VALUES;

CREATE TRIGGER payouts_payout_moves AFTER UPDATE ON payouts_payout
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('payout');
CREATE TRIGGER payouts_beneficiary_moves AFTER UPDATE ON payouts_beneficiary
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('beneficiary');
CREATE TRIGGER payouts_joined_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON payouts_joined
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER payouts_allocation_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON payouts_allocation
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER payouts_attempt_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON payouts_attempt
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

GRANT INSERT, UPDATE (state, channel_state, verified_person, usable_from) ON payouts_beneficiary TO houfu_app;
GRANT UPDATE (account_sealed) ON payouts_beneficiary TO houfu_worker;
GRANT INSERT, UPDATE (state, code, due_at, arrives_by, next_action_at, tries, late_noted_at, final_at) ON payouts_payout TO houfu_app;
GRANT INSERT ON payouts_allocation, payouts_joined TO houfu_app;
-- Without an attempt nothing is sent, and it is the worker alone who sends.
GRANT INSERT ON payouts_attempt, payouts_run TO houfu_worker;
GRANT INSERT, UPDATE (beneficiary_id, purpose, since), DELETE ON payouts_standing_order TO houfu_app;
GRANT UPDATE (claimed) ON payouts_waiver TO houfu_app;
