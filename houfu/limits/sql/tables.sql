-- limits: who may carry how much open exposure, and from which source. The amounts themselves are ledger balances.

-- The shared limit of a group. `share` is the k of G5: a member may draw at most k times its own limit.
-- `limit_fen` is everything the pool holds, free or drawn: what the operator granted and what its members put in;
-- it is kept under G4's cap by a guarded update. `document` is what the legal representative
-- signs (`version` counts how often they were asked), `digest` its SHA-256. What lies above the filing figure is usable
-- from `filed_at` on (G10).
CREATE TABLE limits_pool (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    group_id bigint NOT NULL,
    share smallint NOT NULL CONSTRAINT limits_pool_share_positive CHECK (share > 0),
    limit_fen bigint NOT NULL DEFAULT 0 CONSTRAINT limits_pool_limit_positive CHECK (limit_fen >= 0),
    granted_fen bigint NOT NULL DEFAULT 0 CONSTRAINT limits_pool_granted CHECK (granted_fen BETWEEN 0 AND limit_fen),
    state text NOT NULL CONSTRAINT limits_pool_state
        CHECK (state IN ('draft', 'awaiting_signature', 'active', 'frozen', 'winding_down', 'closed')),
    frozen_by_platform boolean NOT NULL DEFAULT false,
    version integer NOT NULL DEFAULT 0,
    document text,
    digest text,
    opened_at timestamptz NOT NULL,
    signed_at timestamptz,
    filed_at timestamptz,
    closed_at timestamptz,
    -- Whether settings or bands were ever on record; of all other pools nothing more is read when they are drawn from.
    dynamic boolean NOT NULL DEFAULT false,
    -- What could be used when listeners were told last.
    told_fen bigint,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_pool_of_group FOREIGN KEY (merchant_id, group_id) REFERENCES merchants_group (merchant_id, id),
    -- Nothing is drawn from a pool that was not signed for.
    CONSTRAINT limits_pool_signed CHECK (state NOT IN ('active', 'frozen')
                                         OR (signed_at IS NOT NULL AND coalesce(digest, '') ~ '^[0-9a-f]{64}$')),
    CONSTRAINT limits_pool_asked CHECK ((document IS NULL) = (digest IS NULL)
                                        AND (state <> 'awaiting_signature' OR document IS NOT NULL)),
    CONSTRAINT limits_pool_frozen_by CHECK (state = 'frozen' OR NOT frozen_by_platform),
    CONSTRAINT limits_pool_closed CHECK ((state = 'closed') = (closed_at IS NOT NULL) AND (state <> 'closed' OR granted_fen = 0))
);
-- A group has one pool at a time.
CREATE UNIQUE INDEX limits_pool_one_per_group ON limits_pool (merchant_id, group_id) WHERE state <> 'closed';

-- A store's place in a pool, and what it put in. While it is on probation it may draw `probation_share` × its own limit
-- at most. `extra_fen` is how far beyond the ratio a second person lets it reach, until `extra_until` (G9).
CREATE TABLE limits_member (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint NOT NULL,
    pool_id bigint NOT NULL,
    state text NOT NULL CONSTRAINT limits_member_state
        CHECK (state IN ('invited', 'verified', 'probation', 'active', 'suspended', 'removed')),
    contributed_fen bigint NOT NULL DEFAULT 0 CONSTRAINT limits_member_contribution CHECK (contributed_fen >= 0),
    probation_share smallint CONSTRAINT limits_member_probation_share CHECK (probation_share >= 0),
    probation_until timestamptz,
    extra_fen bigint NOT NULL DEFAULT 0 CONSTRAINT limits_member_extra CHECK (extra_fen >= 0),
    extra_until timestamptz,
    joined_at timestamptz NOT NULL,
    left_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_member_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT limits_member_pool FOREIGN KEY (merchant_id, pool_id) REFERENCES limits_pool (merchant_id, id),
    CONSTRAINT limits_member_on_probation CHECK ((probation_share IS NULL) = (probation_until IS NULL)
                                                 AND (state <> 'probation' OR probation_until IS NOT NULL)),
    CONSTRAINT limits_member_left CHECK ((state = 'removed') = (left_at IS NOT NULL)
                                         AND (state <> 'removed' OR contributed_fen = 0)),
    CONSTRAINT limits_member_extra_ends CHECK (extra_fen = 0 OR extra_until IS NOT NULL)
);
-- A store draws from one pool at most.
CREATE UNIQUE INDEX limits_member_of_one_pool ON limits_member (merchant_id, store_id) WHERE state <> 'removed';
CREATE INDEX limits_member_of_pool ON limits_member (merchant_id, pool_id);
CREATE INDEX limits_member_probation_ends ON limits_member (probation_until) WHERE state = 'probation';

-- A change of a pool or between its stores that somebody else must sign first: another ratio by the legal representative
-- (G8); a reach beyond the ratio and a manual move of limit by a second person (G9). It takes effect at `effective_at`
-- at the earliest, never before the signature.
CREATE TABLE limits_change (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    pool_id bigint NOT NULL,
    kind text NOT NULL CONSTRAINT limits_change_kind CHECK (kind IN ('share', 'reach', 'move')),
    store_id bigint,
    to_store_id bigint,
    amount_fen bigint,
    share_before smallint,
    share smallint,
    effective_at timestamptz NOT NULL,
    ends_at timestamptz,
    reason text NOT NULL CONSTRAINT limits_change_reason CHECK (length(trim(reason)) BETWEEN 4 AND 500),
    document text NOT NULL DEFAULT '',
    digest text NOT NULL DEFAULT '',
    chain text[] NOT NULL,
    state text NOT NULL CONSTRAINT limits_change_state CHECK (state IN ('proposed', 'signed', 'effective', 'rejected')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    signed_at timestamptz,
    took_effect_at timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_change_pool FOREIGN KEY (merchant_id, pool_id) REFERENCES limits_pool (merchant_id, id),
    CONSTRAINT limits_change_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT limits_change_to_store FOREIGN KEY (merchant_id, to_store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT limits_change_form CHECK (CASE kind
        WHEN 'share' THEN share > 0 AND share_before > 0 AND share <> share_before AND num_nonnulls(store_id, to_store_id, amount_fen, ends_at) = 0
        WHEN 'reach' THEN amount_fen > 0 AND store_id > 0 AND ends_at > effective_at AND num_nonnulls(to_store_id, share, share_before) = 0
        ELSE amount_fen > 0 AND store_id <> to_store_id AND num_nonnulls(ends_at, share, share_before) = 0 END),
    -- Nothing takes effect unsigned, or early (G8).
    CONSTRAINT limits_change_signed_first CHECK (
        (state <> 'effective' OR (took_effect_at >= effective_at AND took_effect_at >= signed_at AND signed_at IS NOT NULL))
        AND (took_effect_at IS NULL OR state = 'effective') AND (state <> 'signed' OR signed_at IS NOT NULL)),
    CONSTRAINT limits_change_somebody_signs CHECK (cardinality(chain) > 0)
);
-- One change of a ratio, and one reach of a store, is under way at a time.
CREATE UNIQUE INDEX limits_change_one_share ON limits_change (merchant_id, pool_id)
    WHERE kind = 'share' AND state IN ('proposed', 'signed');
CREATE UNIQUE INDEX limits_change_one_reach ON limits_change (merchant_id, store_id)
    WHERE kind = 'reach' AND state IN ('proposed', 'signed');
CREATE INDEX limits_change_open ON limits_change (merchant_id, id) WHERE state IN ('proposed', 'signed');

-- The form 《跨店资金管理备案表》 of a pool that is larger than the policy lets go unfiled (G10); a pool raises it once.
CREATE TABLE limits_filing (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    pool_id bigint NOT NULL,
    state text NOT NULL CONSTRAINT limits_filing_state
        CHECK (state IN ('triggered', 'drafting', 'in_review', 'submitted', 'accepted', 'returned')),
    policy text NOT NULL,
    limit_fen bigint NOT NULL,
    figure_fen bigint NOT NULL CONSTRAINT limits_filing_crossed CHECK (figure_fen < limit_fen),
    triggered_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 0,
    form text CONSTRAINT limits_filing_form CHECK (form IS NULL OR form::json IS NOT NULL),
    reference text CONSTRAINT limits_filing_reference CHECK (length(trim(reference)) BETWEEN 1 AND 100),
    submitted_at timestamptz,
    accepted_at timestamptz,
    acceptance text CONSTRAINT limits_filing_acceptance CHECK (length(trim(acceptance)) BETWEEN 1 AND 100),
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_filing_once UNIQUE (merchant_id, pool_id),
    CONSTRAINT limits_filing_pool FOREIGN KEY (merchant_id, pool_id) REFERENCES limits_pool (merchant_id, id),
    CONSTRAINT limits_filing_written CHECK (state IN ('triggered', 'drafting') OR form IS NOT NULL),
    CONSTRAINT limits_filing_submitted CHECK (state NOT IN ('submitted', 'accepted', 'returned') OR
                                              (reference IS NOT NULL AND submitted_at IS NOT NULL)),
    CONSTRAINT limits_filing_accepted CHECK ((state = 'accepted') = (accepted_at IS NOT NULL)
                                             AND (state <> 'accepted' OR acceptance IS NOT NULL))
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

-- An emergency order (L3): a loan first, orders settled within a day, then reduced limit restored by application.
CREATE TABLE limits_emergency (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    store_id bigint NOT NULL,
    loan_id bigint NOT NULL,
    state text NOT NULL CONSTRAINT limits_emergency_state
        CHECK (state IN ('begun', 'repaying', 'restoration_open', 'in_review', 'restored', 'refused', 'lapsed')),
    needed smallint NOT NULL CONSTRAINT limits_emergency_needed CHECK (needed > 0),
    settled smallint NOT NULL DEFAULT 0 CONSTRAINT limits_emergency_settled CHECK (settled BETWEEN 0 AND needed),
    begun_at timestamptz NOT NULL,
    settle_until timestamptz NOT NULL,
    opens_at timestamptz,
    apply_until timestamptz,
    amount_fen bigint CONSTRAINT limits_emergency_amount CHECK (amount_fen > 0),
    applied_by text,
    applied_at timestamptz,
    decide_until timestamptz,
    closed_at timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_emergency_loan FOREIGN KEY (merchant_id, loan_id) REFERENCES limits_loan (merchant_id, id),
    CONSTRAINT limits_emergency_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT limits_emergency_earned CHECK ((settled = needed) = (opens_at IS NOT NULL)
                                              AND (opens_at IS NULL) = (apply_until IS NULL)),
    -- Restoration is applied for after the orders were settled, from the next day on (L3).
    CONSTRAINT limits_emergency_next_day CHECK (
        (state NOT IN ('restoration_open', 'in_review', 'restored', 'refused') OR opens_at IS NOT NULL)
        AND (applied_at IS NULL OR applied_at BETWEEN opens_at AND apply_until)
        AND (state NOT IN ('in_review', 'restored', 'refused') OR num_nulls(amount_fen, applied_at, decide_until) = 0)),
    CONSTRAINT limits_emergency_closed CHECK ((state IN ('restored', 'refused', 'lapsed')) = (closed_at IS NOT NULL))
);
-- A store has one emergency at a time.
CREATE UNIQUE INDEX limits_emergency_one_open ON limits_emergency (merchant_id, store_id)
    WHERE state NOT IN ('restored', 'refused', 'lapsed');

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
CREATE TRIGGER limits_member_moves AFTER UPDATE ON limits_member
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('member');
CREATE TRIGGER limits_loan_moves AFTER UPDATE ON limits_loan
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('loan');
CREATE TRIGGER limits_change_moves AFTER UPDATE ON limits_change
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('limit_change');
CREATE TRIGGER limits_filing_moves AFTER UPDATE ON limits_filing
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('filing');
CREATE TRIGGER limits_emergency_moves AFTER UPDATE ON limits_emergency
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('emergency');

GRANT INSERT, UPDATE (share, limit_fen, granted_fen, state, frozen_by_platform, version, document, digest, signed_at,
                      filed_at, closed_at, dynamic, told_fen) ON limits_pool TO houfu_app;
GRANT INSERT, UPDATE (state, contributed_fen, probation_share, probation_until, extra_fen, extra_until, left_at)
    ON limits_member TO houfu_app;
GRANT INSERT, UPDATE (state, document, digest, signed_at, took_effect_at, note) ON limits_change TO houfu_app;
GRANT INSERT, UPDATE (state, version, form, reference, submitted_at, accepted_at, acceptance, note)
    ON limits_filing TO houfu_app;
GRANT INSERT, UPDATE (repaid_fen, state) ON limits_loan TO houfu_app;
GRANT INSERT, UPDATE (state, settled, opens_at, apply_until, amount_fen, applied_by, applied_at, decide_until, closed_at,
                      note) ON limits_emergency TO houfu_app;
GRANT INSERT ON limits_note TO houfu_app;
GRANT INSERT, UPDATE (completed, booked_fen), DELETE ON limits_recovery TO houfu_app;
GRANT INSERT ON limits_dynamic, limits_band TO houfu_app;
GRANT INSERT, UPDATE (data_until, source, state, decided_by, ended_by, starts_at, ends_at) ON limits_adjustment TO houfu_app;
GRANT INSERT, UPDATE (state, decided_by, starts_at, ends_at) ON limits_bands TO houfu_app;
