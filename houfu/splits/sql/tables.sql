-- splits: an order's net divided between bound parties (L8): suppliers and carriers, the rules of stores, what each order
-- gave to whom, and what was asked back.

-- Who may get parts of orders, under a contract. The account number is sealed; its digest finds it again, its tail is
-- shown. `version` counts what a second person was asked to confirm, every contract anew; `waits` while they have not said.
CREATE TABLE splits_party (
    merchant_id bigint NOT NULL REFERENCES merchants_merchant,
    id bigint GENERATED ALWAYS AS IDENTITY,
    relation text NOT NULL CONSTRAINT splits_party_relation CHECK (relation IN ('supplier', 'carrier')),
    kind text NOT NULL CONSTRAINT splits_party_kind CHECK (kind IN ('alipay', 'bank_corporate')),
    purpose_class text NOT NULL,
    holder text NOT NULL CONSTRAINT splits_party_holder CHECK (length(holder) BETWEEN 1 AND 100),
    account_sealed bytea NOT NULL,
    account_digest bytea NOT NULL,
    account_tail text NOT NULL,
    contract text NOT NULL CONSTRAINT splits_party_contract CHECK (length(contract) BETWEEN 1 AND 500),
    valid_from date NOT NULL,
    valid_until date NOT NULL,
    version integer NOT NULL DEFAULT 1,
    waits boolean NOT NULL DEFAULT true,
    state text NOT NULL CONSTRAINT splits_party_state CHECK (state IN ('registered', 'confirmed', 'revoked')),
    registered_by text NOT NULL,
    person text NOT NULL,
    registered_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT splits_party_days CHECK (valid_until >= valid_from)
);
CREATE UNIQUE INDEX splits_party_once ON splits_party (merchant_id, kind, account_digest) WHERE state <> 'revoked';
CREATE INDEX splits_party_waiting ON splits_party (merchant_id, id) WHERE waits;

-- Whether a channel gives a party parts of what an account is credited.
CREATE TABLE splits_binding (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    party_id bigint NOT NULL,
    channel_account_id bigint NOT NULL,
    state text NOT NULL CONSTRAINT splits_binding_state CHECK (state IN ('asked', 'bound', 'refused', 'releasing', 'released')),
    asked_at timestamptz NOT NULL,
    next_action_at timestamptz,
    tries smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT splits_binding_once UNIQUE (merchant_id, party_id, channel_account_id),
    CONSTRAINT splits_binding_party FOREIGN KEY (merchant_id, party_id) REFERENCES splits_party (merchant_id, id),
    CONSTRAINT splits_binding_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id),
    CONSTRAINT splits_binding_waits CHECK ((state IN ('asked', 'releasing')) = (next_action_at IS NOT NULL))
);
CREATE INDEX splits_binding_next ON splits_binding (next_action_at) WHERE next_action_at IS NOT NULL;

-- The channel's own cap, per mille of an order's net, as it last said.
CREATE TABLE splits_cap (
    merchant_id bigint NOT NULL,
    channel_account_id bigint NOT NULL,
    permille smallint NOT NULL CONSTRAINT splits_cap_permille CHECK (permille BETWEEN 0 AND 1000),
    said_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, channel_account_id),
    CONSTRAINT splits_cap_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id)
);

-- How a store's orders are divided, from an instant on. A rule in force is the latest that has begun; it needs another
-- person than its editor. One without shares ends the splitting.
CREATE TABLE splits_rule (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint NOT NULL,
    state text NOT NULL CONSTRAINT splits_rule_state CHECK (state IN ('proposed', 'approved', 'rejected')),
    not_before timestamptz NOT NULL,
    begins_at timestamptz,
    proposed_by text NOT NULL,
    person text NOT NULL,
    proposed_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT splits_rule_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT splits_rule_begins CHECK ((state = 'approved') = (begins_at IS NOT NULL) AND begins_at >= not_before)
);
CREATE UNIQUE INDEX splits_rule_one_proposed ON splits_rule (merchant_id, store_id) WHERE state = 'proposed';
CREATE INDEX splits_rule_in_force ON splits_rule (merchant_id, store_id, begins_at) WHERE state = 'approved';
CREATE TABLE splits_share (
    merchant_id bigint NOT NULL,
    rule_id bigint NOT NULL,
    place smallint NOT NULL CONSTRAINT splits_share_place CHECK (place BETWEEN 1 AND 20),
    party_id bigint NOT NULL,
    permille smallint CONSTRAINT splits_share_permille CHECK (permille BETWEEN 1 AND 1000),
    fixed_fen bigint CONSTRAINT splits_share_fixed CHECK (fixed_fen BETWEEN 1 AND 10000000000000),
    PRIMARY KEY (merchant_id, rule_id, place),
    CONSTRAINT splits_share_once UNIQUE (merchant_id, rule_id, party_id),
    CONSTRAINT splits_share_one_way CHECK ((permille IS NULL) <> (fixed_fen IS NULL)),
    CONSTRAINT splits_share_rule FOREIGN KEY (merchant_id, rule_id) REFERENCES splits_rule (merchant_id, id),
    CONSTRAINT splits_share_party FOREIGN KEY (merchant_id, party_id) REFERENCES splits_party (merchant_id, id)
);

-- What became of the net of each settled order that a rule was in force for: all of it is somebody's (I-04). `kept_for`
-- says for what reasons shares stayed the store's, as "party/3:contract_expired"; `cap_permille` is the smaller of the
-- policy's and the channel's. Batches are sealed by the history.
CREATE TABLE splits_division (
    merchant_id bigint NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    store_id bigint NOT NULL,
    rule_id bigint NOT NULL,
    batch uuid NOT NULL,
    no integer NOT NULL,
    at timestamptz NOT NULL,
    net_fen bigint NOT NULL,
    cap_permille smallint NOT NULL,
    split_fen bigint NOT NULL,
    kept_fen bigint NOT NULL,
    kept_for text[] NOT NULL,
    CONSTRAINT splits_division_once PRIMARY KEY (merchant_id, order_id),
    CONSTRAINT splits_division_is_whole CHECK (split_fen + kept_fen = net_fen AND least(split_fen, kept_fen) >= 0),
    CONSTRAINT splits_division_within_cap CHECK (split_fen * 1000 <= net_fen * cap_permille),
    CONSTRAINT splits_division_order FOREIGN KEY (merchant_id, order_id) REFERENCES orders_lot (merchant_id, id),
    CONSTRAINT splits_division_rule FOREIGN KEY (merchant_id, rule_id) REFERENCES splits_rule (merchant_id, id)
);
CREATE INDEX splits_division_listing ON splits_division (merchant_id, at, order_id);

-- One call at the channel: parts of one order for five receivers at most. A row that is not final says when it will be
-- looked at next (I-23).
CREATE TABLE splits_split (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    order_id text COLLATE "C" NOT NULL,
    no smallint NOT NULL,
    store_id bigint NOT NULL,
    channel_account_id bigint NOT NULL,
    state text NOT NULL CONSTRAINT splits_split_state CHECK (state IN (
        'scheduled', 'submitting', 'submitted', 'unknown', 'done', 'failed', 'cancelled')),
    code text NOT NULL DEFAULT '',
    made_at timestamptz NOT NULL,
    next_action_at timestamptz,
    tries smallint NOT NULL DEFAULT 0,
    final_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT splits_split_once UNIQUE (merchant_id, order_id, no),
    CONSTRAINT splits_split_division FOREIGN KEY (merchant_id, order_id) REFERENCES splits_division (merchant_id, order_id),
    CONSTRAINT splits_split_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id),
    CONSTRAINT splits_split_final CHECK (
        (final_at IS NOT NULL) = (state IN ('done', 'failed', 'cancelled')) AND (final_at IS NULL) = (next_action_at IS NOT NULL))
);
CREATE INDEX splits_split_next ON splits_split (next_action_at) WHERE next_action_at IS NOT NULL;

-- What one party gets of one order. `off_fen` was taken off before the part was sent, as `sent_fen`; `recalled_fen` is what of it was
-- asked back in all, `returned_fen` what came.
CREATE TABLE splits_part (
    merchant_id bigint NOT NULL,
    split_id bigint NOT NULL,
    place smallint NOT NULL CONSTRAINT splits_part_receivers CHECK (place BETWEEN 1 AND 5),
    party_id bigint NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT splits_part_amount CHECK (amount_fen > 0),
    off_fen bigint NOT NULL DEFAULT 0,
    sent_fen bigint CONSTRAINT splits_part_sent CHECK (sent_fen > 0 AND sent_fen = amount_fen - off_fen),
    recalled_fen bigint NOT NULL DEFAULT 0,
    returned_fen bigint NOT NULL DEFAULT 0,
    state text NOT NULL CONSTRAINT splits_part_state CHECK (state IN ('owed', 'paid', 'denied')),
    code text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, split_id, place),
    CONSTRAINT splits_part_split FOREIGN KEY (merchant_id, split_id) REFERENCES splits_split (merchant_id, id),
    CONSTRAINT splits_part_party FOREIGN KEY (merchant_id, party_id) REFERENCES splits_party (merchant_id, id),
    -- Nobody gives back more than they got, and nobody is asked for more.
    CONSTRAINT splits_part_given CHECK (
        least(off_fen, recalled_fen, returned_fen) >= 0 AND returned_fen <= recalled_fen
        AND off_fen + recalled_fen <= amount_fen AND (state = 'paid' OR returned_fen = 0)
        AND (state <> 'paid' OR sent_fen IS NOT NULL))
);
CREATE INDEX splits_part_of_party ON splits_part (merchant_id, party_id);

-- What of a part is to come back for a refund: taken off what is not sent yet, else asked back through the channel.
CREATE TABLE splits_return (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    split_id bigint NOT NULL,
    place smallint NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    refund_ref text COLLATE "C" NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT splits_return_amount CHECK (amount_fen > 0),
    state text NOT NULL CONSTRAINT splits_return_state CHECK (state IN (
        'waiting', 'scheduled', 'submitting', 'submitted', 'unknown', 'returned', 'taken_off', 'failed')),
    code text NOT NULL DEFAULT '',
    made_at timestamptz NOT NULL,
    next_action_at timestamptz,
    tries smallint NOT NULL DEFAULT 0,
    final_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT splits_return_once UNIQUE (merchant_id, order_id, refund_ref, split_id, place),
    CONSTRAINT splits_return_part FOREIGN KEY (merchant_id, split_id, place)
        REFERENCES splits_part (merchant_id, split_id, place),
    CONSTRAINT splits_return_final CHECK (
        (final_at IS NOT NULL) = (state IN ('returned', 'taken_off', 'failed'))
        AND (next_action_at IS NOT NULL) = (state IN ('scheduled', 'submitting', 'submitted', 'unknown')))
);
CREATE INDEX splits_return_next ON splits_return (next_action_at) WHERE next_action_at IS NOT NULL;
CREATE INDEX splits_return_waiting ON splits_return (merchant_id, split_id) WHERE state = 'waiting';

-- The one attempt that may send, of a split or of a return: its number comes from the content and is committed before the
-- first byte leaves (I-08).
CREATE TABLE splits_attempt (
    merchant_id bigint NOT NULL,
    request_no text NOT NULL,
    split_id bigint,
    return_id bigint,
    worker text NOT NULL,
    sent_at timestamptz NOT NULL,
    CONSTRAINT splits_request_no_once PRIMARY KEY (merchant_id, request_no),
    CONSTRAINT splits_attempt_of_split UNIQUE (merchant_id, split_id),
    CONSTRAINT splits_attempt_of_return UNIQUE (merchant_id, return_id),
    CONSTRAINT splits_attempt_of_one CHECK ((split_id IS NULL) <> (return_id IS NULL)),
    CONSTRAINT splits_attempt_split FOREIGN KEY (merchant_id, split_id) REFERENCES splits_split (merchant_id, id),
    CONSTRAINT splits_attempt_return FOREIGN KEY (merchant_id, return_id) REFERENCES splits_return (merchant_id, id)
);

-- What a partner was last told, or would have been, of a store's limits: a digest of the figures (decision 42).
CREATE TABLE splits_watch (
    merchant_id bigint NOT NULL,
    store_id bigint NOT NULL,
    digest bytea NOT NULL,
    looked_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, store_id),
    CONSTRAINT splits_watch_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id)
);

-- A logistics agreement is with a carrier of the merchant's; the agreement itself is an account's (merchants).
ALTER TABLE merchants_logistics_agreement ADD CONSTRAINT splits_agreement_carrier
    FOREIGN KEY (merchant_id, carrier_id) REFERENCES splits_party (merchant_id, id);

CREATE TRIGGER splits_party_moves AFTER UPDATE ON splits_party
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('party');
CREATE TRIGGER splits_binding_moves AFTER UPDATE ON splits_binding
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('binding');
CREATE TRIGGER splits_rule_moves AFTER UPDATE ON splits_rule
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('split_rule');
CREATE TRIGGER splits_split_moves AFTER UPDATE ON splits_split
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('split');
CREATE TRIGGER splits_return_moves AFTER UPDATE ON splits_return
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('split_return');
CREATE TRIGGER splits_share_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON splits_share
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER splits_division_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON splits_division
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER splits_attempt_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON splits_attempt
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

GRANT INSERT, UPDATE (contract, valid_from, valid_until, version, waits, state) ON splits_party TO houfu_app;
GRANT INSERT, UPDATE (state, asked_at, next_action_at, tries) ON splits_binding TO houfu_app;
GRANT INSERT, UPDATE (permille, said_at) ON splits_cap TO houfu_app;
GRANT INSERT, UPDATE (state, begins_at) ON splits_rule TO houfu_app;
GRANT UPDATE (account_sealed) ON splits_party TO houfu_worker;
GRANT INSERT ON splits_share, splits_division TO houfu_app;
GRANT INSERT ON splits_attempt TO houfu_worker;
GRANT INSERT, UPDATE (state, code, next_action_at, tries, final_at) ON splits_split TO houfu_app;
GRANT INSERT, UPDATE (off_fen, sent_fen, recalled_fen, returned_fen, state, code) ON splits_part TO houfu_app;
GRANT INSERT, UPDATE (state, code, next_action_at, tries, final_at) ON splits_return TO houfu_app;
GRANT INSERT, UPDATE (digest, looked_at) ON splits_watch TO houfu_app;
