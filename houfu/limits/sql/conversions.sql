-- conversions: own limit that a store gives up on one channel's platform, so that a store of the same merchant on another
-- has some (L7). Both platforms' qualifications are recognised first.

-- That two principals of a merchant may convert: recognised once each side's document was signed for and accepted.
CREATE TABLE limits_recognition (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    first_account_id bigint NOT NULL,
    second_account_id bigint NOT NULL,
    state text NOT NULL CONSTRAINT limits_recognition_state
        CHECK (state IN ('proposed', 'recognised_by_one', 'recognised', 'refused', 'withdrawn')),
    proposed_by text NOT NULL,
    person text NOT NULL,
    proposed_at timestamptz NOT NULL,
    ended_at timestamptz,
    note text NOT NULL DEFAULT '' CONSTRAINT limits_recognition_note CHECK (length(note) <= 500),
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_recognition_two_sides CHECK (first_account_id < second_account_id),
    CONSTRAINT limits_recognition_ended CHECK ((ended_at IS NOT NULL) = (state IN ('refused', 'withdrawn'))),
    CONSTRAINT limits_recognition_first FOREIGN KEY (merchant_id, first_account_id)
        REFERENCES merchants_channel_account (merchant_id, id),
    CONSTRAINT limits_recognition_second FOREIGN KEY (merchant_id, second_account_id)
        REFERENCES merchants_channel_account (merchant_id, id)
);
CREATE UNIQUE INDEX limits_recognition_one_live ON limits_recognition (merchant_id, first_account_id, second_account_id)
    WHERE ended_at IS NULL;

-- A side's document, known by the digest of its file. The merchant's people sign for it, somebody of the platform accepts.
CREATE TABLE limits_recognition_side (
    merchant_id bigint NOT NULL,
    recognition_id bigint NOT NULL,
    channel_account_id bigint NOT NULL,
    document text NOT NULL CONSTRAINT limits_recognition_document CHECK (length(trim(document)) BETWEEN 4 AND 200),
    sha256 text NOT NULL CONSTRAINT limits_recognition_digest CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    signed_at timestamptz,
    accepted_by text,
    accepted_person text,
    accepted_at timestamptz,
    PRIMARY KEY (merchant_id, recognition_id, channel_account_id),
    CONSTRAINT limits_recognition_side_of FOREIGN KEY (merchant_id, recognition_id)
        REFERENCES limits_recognition (merchant_id, id),
    CONSTRAINT limits_recognition_accepted CHECK (num_nulls(accepted_by, accepted_person, accepted_at) IN (0, 3))
);

-- One conversion: `amount_fen` of own limit given up, `given_fen` of it given on, the rest kept as the haircut. What comes
-- back of both grows until all has.
CREATE TABLE limits_conversion (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    recognition_id bigint NOT NULL,
    from_store_id bigint NOT NULL,
    to_store_id bigint NOT NULL,
    amount_fen bigint NOT NULL,
    given_fen bigint NOT NULL,
    haircut_fen bigint NOT NULL,
    returned_fen bigint NOT NULL DEFAULT 0,
    haircut_back_fen bigint NOT NULL DEFAULT 0,
    state text NOT NULL CONSTRAINT limits_conversion_state
        CHECK (state IN ('asked', 'held', 'active', 'returning', 'returned', 'refused', 'lapsed')),
    abnormal text[] NOT NULL,
    policy text NOT NULL,
    asked_by text NOT NULL,
    person text NOT NULL,
    asked_at timestamptz NOT NULL,
    held_until timestamptz NOT NULL,
    lapses_at timestamptz NOT NULL,
    decided_by text,
    decided_person text,
    decided_at timestamptz,
    note text NOT NULL DEFAULT '' CONSTRAINT limits_conversion_note CHECK (length(note) <= 500),
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT limits_conversion_two_stores CHECK (from_store_id <> to_store_id),
    -- The parts are the whole (I-04), and no more comes back than was given.
    CONSTRAINT limits_conversion_parts CHECK (
        amount_fen BETWEEN 1 AND 10000000000000 AND given_fen > 0 AND haircut_fen >= 0
        AND given_fen + haircut_fen = amount_fen),
    CONSTRAINT limits_conversion_back CHECK (
        returned_fen BETWEEN 0 AND given_fen AND haircut_back_fen BETWEEN 0 AND haircut_fen),
    CONSTRAINT limits_conversion_all_back CHECK (
        (state = 'returned') = (returned_fen = given_fen)
        AND (state <> 'returned' OR haircut_back_fen = haircut_fen)
        AND (state IN ('returning', 'returned') OR returned_fen + haircut_back_fen = 0)),
    CONSTRAINT limits_conversion_held_is_abnormal CHECK (
        CASE state WHEN 'held' THEN abnormal <> '{}' WHEN 'asked' THEN abnormal = '{}' ELSE true END),
    -- A second person confirms (G9), and what is abnormal not before its hours are over (L7).
    CONSTRAINT limits_conversion_second_person CHECK (
        state NOT IN ('active', 'returning', 'returned')
        OR (decided_person IS NOT NULL AND decided_person <> '' AND decided_person <> person)),
    CONSTRAINT limits_conversion_held_long_enough CHECK (
        state NOT IN ('active', 'returning', 'returned') OR (decided_at IS NOT NULL AND decided_at >= held_until)),
    CONSTRAINT limits_conversion_recognition FOREIGN KEY (merchant_id, recognition_id)
        REFERENCES limits_recognition (merchant_id, id),
    CONSTRAINT limits_conversion_from FOREIGN KEY (merchant_id, from_store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT limits_conversion_to FOREIGN KEY (merchant_id, to_store_id) REFERENCES merchants_store (merchant_id, id)
);
CREATE INDEX limits_conversion_open ON limits_conversion (merchant_id, state)
    WHERE state IN ('asked', 'held', 'active', 'returning');
CREATE INDEX limits_conversion_asked ON limits_conversion (merchant_id, asked_at);

-- What the true-up of a month found of a conversion, and sent back.
CREATE TABLE limits_true_up (
    merchant_id bigint NOT NULL,
    conversion_id bigint NOT NULL,
    month date NOT NULL CONSTRAINT limits_true_up_month CHECK (extract(day FROM month) = 1),
    unused_fen bigint NOT NULL CONSTRAINT limits_true_up_unused CHECK (unused_fen >= 0),
    in_use_fen bigint NOT NULL CONSTRAINT limits_true_up_in_use CHECK (in_use_fen >= 0),
    haircut_fen bigint NOT NULL CONSTRAINT limits_true_up_haircut CHECK (haircut_fen >= 0),
    at timestamptz NOT NULL,
    CONSTRAINT limits_true_up_once PRIMARY KEY (merchant_id, conversion_id, month),
    CONSTRAINT limits_true_up_of FOREIGN KEY (merchant_id, conversion_id) REFERENCES limits_conversion (merchant_id, id)
);

CREATE TRIGGER limits_recognition_moves AFTER UPDATE ON limits_recognition
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('recognition');
CREATE TRIGGER limits_conversion_moves AFTER UPDATE ON limits_conversion
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('conversion');
CREATE TRIGGER limits_true_up_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON limits_true_up
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

GRANT INSERT, UPDATE (state, ended_at, note) ON limits_recognition TO houfu_app;
GRANT INSERT, UPDATE (signed_at, accepted_by, accepted_person, accepted_at) ON limits_recognition_side TO houfu_app;
GRANT INSERT, UPDATE (state, returned_fen, haircut_back_fen, decided_by, decided_person, decided_at, note)
    ON limits_conversion TO houfu_app;
GRANT INSERT ON limits_true_up TO houfu_app;
