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
    -- From when on the part above the gate is usable (G10).
    filed_at timestamptz,
    -- Whether settings or bands were ever on record; of all other pools nothing more is read when they are drawn from.
    dynamic boolean NOT NULL DEFAULT false,
    -- What could be used when listeners were told last.
    told_fen bigint,
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

-- How a pool is dynamic (L4), in versions: the latest that began by an instant holds at it. A proposal of up to
-- `auto_fen` that weather or a forecast makes is accepted by rule. `place` is where its weather is looked at.
CREATE TABLE limits_dynamic (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    pool_id bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    is_on boolean NOT NULL,
    base_fen bigint NOT NULL,
    floating_fen bigint NOT NULL,
    auto_fen bigint NOT NULL,
    place text CONSTRAINT limits_dynamic_place CHECK (place ~ '^-?[0-9]{1,2}\.[0-9]{2},-?[0-9]{1,3}\.[0-9]{2}$'),
    set_by text NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_dynamic_amounts
        CHECK (least(base_fen, floating_fen, auto_fen) >= 0 AND greatest(base_fen, floating_fen, auto_fen) <= 10000000000000),
    CONSTRAINT limits_dynamic_pool FOREIGN KEY (merchant_id, pool_id) REFERENCES limits_pool (merchant_id, id)
);
CREATE INDEX limits_dynamic_at ON limits_dynamic (merchant_id, pool_id, valid_from, id);

-- A proposal to let more or less of a dynamic pool be used for a while (L4, L6). It works at the instants in
-- [starts_at, ends_at): from its acceptance on, while it is valid, and never longer than the data that it stands on.
CREATE TABLE limits_adjustment (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    pool_id bigint NOT NULL,
    kind text NOT NULL CONSTRAINT limits_adjustment_kind CHECK (kind IN ('weather', 'forecast', 'manual')),
    amount_fen bigint NOT NULL
        CONSTRAINT limits_adjustment_amount CHECK (amount_fen <> 0 AND abs(amount_fen) <= 10000000000000),
    valid_from timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    data_until timestamptz,
    reason text NOT NULL CONSTRAINT limits_adjustment_says_why CHECK (length(trim(reason)) BETWEEN 2 AND 500),
    source text NOT NULL,
    state text NOT NULL CONSTRAINT limits_adjustment_state
        CHECK (state IN ('proposed', 'accepted', 'expired', 'withdrawn', 'rejected')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    decided_by text,
    ended_by text,
    starts_at timestamptz,
    ends_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_adjustment_window CHECK (valid_from < valid_until),
    CONSTRAINT limits_adjustment_outlives_nothing CHECK (ends_at <= least(valid_until, data_until)),
    CONSTRAINT limits_adjustment_data CHECK (kind <> 'weather' OR data_until IS NOT NULL),
    CONSTRAINT limits_adjustment_ended_by CHECK ((state = 'withdrawn') = (ended_by IS NOT NULL)),
    CONSTRAINT limits_adjustment_starts CHECK (starts_at >= valid_from),
    CONSTRAINT limits_adjustment_accepted CHECK (CASE state WHEN 'accepted' THEN starts_at IS NOT NULL
                                                 WHEN 'proposed' THEN starts_at IS NULL
                                                 WHEN 'rejected' THEN starts_at IS NULL ELSE true END),
    CONSTRAINT limits_adjustment_pool FOREIGN KEY (merchant_id, pool_id) REFERENCES limits_pool (merchant_id, id)
);
CREATE INDEX limits_adjustment_at ON limits_adjustment (merchant_id, pool_id, ends_at) WHERE starts_at IS NOT NULL;
CREATE INDEX limits_adjustment_open ON limits_adjustment (ends_at) WHERE state IN ('proposed', 'accepted');

-- A table of time bands for a pool (L5), as a whole proposed, accepted, and replaced by the next.
CREATE TABLE limits_bands (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    pool_id bigint NOT NULL,
    reason text NOT NULL CONSTRAINT limits_bands_says_why CHECK (length(trim(reason)) BETWEEN 2 AND 500),
    source text NOT NULL,
    state text NOT NULL CONSTRAINT limits_bands_state
        CHECK (state IN ('proposed', 'accepted', 'replaced', 'withdrawn', 'rejected')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    decided_by text,
    starts_at timestamptz,
    ends_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_bands_accepted CHECK (CASE state WHEN 'accepted' THEN starts_at IS NOT NULL AND ends_at IS NULL
                                            WHEN 'replaced' THEN starts_at <= ends_at
                                            WHEN 'withdrawn' THEN (starts_at IS NULL) = (ends_at IS NULL)
                                            ELSE starts_at IS NULL AND ends_at IS NULL END),
    CONSTRAINT limits_bands_pool FOREIGN KEY (merchant_id, pool_id) REFERENCES limits_pool (merchant_id, id)
);
-- A pool has one table of bands at a time.
CREATE UNIQUE INDEX limits_bands_one_in_force ON limits_bands (merchant_id, pool_id) WHERE state = 'accepted';
CREATE INDEX limits_bands_at ON limits_bands (merchant_id, pool_id, starts_at) WHERE starts_at IS NOT NULL;

-- What may be used from `opens` until before `closes`, in Shanghai's time; past midnight where it closes before it opens.
CREATE TABLE limits_band (
    merchant_id bigint NOT NULL,
    bands_id bigint NOT NULL,
    name text NOT NULL CONSTRAINT limits_band_name CHECK (length(name) BETWEEN 1 AND 60),
    opens time NOT NULL,
    closes time NOT NULL,
    limit_fen bigint NOT NULL CONSTRAINT limits_band_amount CHECK (limit_fen BETWEEN 0 AND 10000000000000),
    PRIMARY KEY (merchant_id, bands_id, name),
    CONSTRAINT limits_band_window CHECK (opens <> closes),
    CONSTRAINT limits_band_of FOREIGN KEY (merchant_id, bands_id) REFERENCES limits_bands (merchant_id, id)
);

CREATE TRIGGER limits_adjustment_moves AFTER UPDATE ON limits_adjustment
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('adjustment');
CREATE TRIGGER limits_bands_moves AFTER UPDATE ON limits_bands
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('bands');
CREATE TRIGGER limits_pool_moves AFTER UPDATE ON limits_pool
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('pool');
CREATE TRIGGER limits_loan_moves AFTER UPDATE ON limits_loan
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('loan');

GRANT INSERT, UPDATE (limit_fen, state, filed_at, dynamic, told_fen) ON limits_pool TO houfu_app;
GRANT INSERT, UPDATE (contributed_fen) ON limits_member TO houfu_app;
GRANT INSERT, UPDATE (repaid_fen, state) ON limits_loan TO houfu_app;
GRANT INSERT ON limits_note TO houfu_app;
GRANT INSERT, UPDATE (completed, booked_fen), DELETE ON limits_recovery TO houfu_app;
GRANT INSERT ON limits_dynamic, limits_band TO houfu_app;
GRANT INSERT, UPDATE (data_until, source, state, decided_by, ended_by, starts_at, ends_at) ON limits_adjustment TO houfu_app;
GRANT INSERT, UPDATE (state, decided_by, starts_at, ends_at) ON limits_bands TO houfu_app;
