-- limits: who may carry how much open exposure, and from which source. The amounts themselves are ledger balances.

-- The shared limit of a group. `share` is the k of G5: a member may draw at most k times its own limit.
-- `limit_fen` is everything the pool holds, free or drawn; it is kept under G4's cap by a guarded update.
CREATE TABLE limits_pool (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    group_id bigint NOT NULL,
    share smallint NOT NULL CONSTRAINT limits_pool_share_positive CHECK (share > 0),
    limit_fen bigint NOT NULL DEFAULT 0 CONSTRAINT limits_pool_limit_positive CHECK (limit_fen >= 0),
    state text NOT NULL CONSTRAINT limits_pool_state CHECK (state IN ('active', 'frozen', 'closed')),
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_pool_of_group FOREIGN KEY (merchant_id, group_id) REFERENCES merchants_group (merchant_id, id)
);
-- A group has one pool at a time.
CREATE UNIQUE INDEX limits_pool_one_per_group ON limits_pool (merchant_id, group_id) WHERE state <> 'closed';

CREATE TABLE limits_member (
    merchant_id bigint NOT NULL,
    store_id bigint NOT NULL,
    pool_id bigint NOT NULL,
    contributed_fen bigint NOT NULL DEFAULT 0 CONSTRAINT limits_member_contribution CHECK (contributed_fen >= 0),
    joined_at timestamptz NOT NULL,
    -- A store draws from one pool at most.
    CONSTRAINT limits_member_of_one_pool PRIMARY KEY (merchant_id, store_id),
    CONSTRAINT limits_member_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT limits_member_pool FOREIGN KEY (merchant_id, pool_id) REFERENCES limits_pool (merchant_id, id)
);

-- A temporary loan of limit (L1): never cash, repaid by the store's next settled orders.
CREATE TABLE limits_loan (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT limits_loan_amount CHECK (amount_fen > 0),
    repaid_fen bigint NOT NULL DEFAULT 0,
    state text NOT NULL CONSTRAINT limits_loan_state CHECK (state IN ('open', 'partly_repaid', 'overdue', 'repaid')),
    opened_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_loan_repaid CHECK (repaid_fen BETWEEN 0 AND amount_fen AND (state = 'repaid') = (repaid_fen = amount_fen)),
    CONSTRAINT limits_loan_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id)
);
-- One open loan per store (L1).
CREATE UNIQUE INDEX limits_loan_one_open ON limits_loan (merchant_id, store_id) WHERE state <> 'repaid';

-- The store manager's note that opens the band above the limit for a while (O6).
CREATE TABLE limits_note (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint NOT NULL,
    person text NOT NULL,
    note text NOT NULL CONSTRAINT limits_note_says_why CHECK (length(trim(note)) BETWEEN 4 AND 500),
    valid_from timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_note_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id)
);
CREATE INDEX limits_note_latest ON limits_note (merchant_id, store_id, id);

-- How far a store has earned its reduced limit back (L2): orders completed since the reduction, and what was booked.
CREATE TABLE limits_recovery (
    merchant_id bigint NOT NULL,
    store_id bigint NOT NULL,
    completed bigint NOT NULL DEFAULT 0,
    booked_fen bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (merchant_id, store_id),
    CONSTRAINT limits_recovery_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id)
);

CREATE TRIGGER limits_pool_moves AFTER UPDATE ON limits_pool
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('pool');
CREATE TRIGGER limits_loan_moves AFTER UPDATE ON limits_loan
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('loan');

GRANT INSERT, UPDATE (limit_fen, state) ON limits_pool TO houfu_app;
GRANT INSERT, UPDATE (contributed_fen) ON limits_member TO houfu_app;
GRANT INSERT, UPDATE (repaid_fen, state) ON limits_loan TO houfu_app;
GRANT INSERT ON limits_note TO houfu_app;
GRANT INSERT, UPDATE (completed, booked_fen), DELETE ON limits_recovery TO houfu_app;
