-- approvals: who must agree, in what order. What is agreed to is a subject's name and a payload; nobody here reads it.

-- `payload` is canonical JSON, the text that the challenge is made of. `turn` counts the steps of the chain that stand
-- signed. `person` and `editors` are natural persons; "" is the product itself.
CREATE TABLE approvals_request (
    merchant_id bigint NOT NULL REFERENCES merchants_merchant,
    id uuid NOT NULL,
    subject text NOT NULL CONSTRAINT approvals_subject_form CHECK (subject ~ '^[a-z_]+/[!-~]+$' AND length(subject) <= 120),
    version integer NOT NULL CONSTRAINT approvals_version_positive CHECK (version > 0),
    payload text NOT NULL CONSTRAINT approvals_payload_size CHECK (length(payload) BETWEEN 2 AND 20000),
    chain text[] NOT NULL CONSTRAINT approvals_chain_form
        CHECK (cardinality(chain) BETWEEN 1 AND 8 AND array_position(chain, NULL) IS NULL),
    requested_by text NOT NULL,
    person text NOT NULL,
    editors text[] NOT NULL CONSTRAINT approvals_editors_named CHECK (array_position(editors, NULL) IS NULL),
    state text NOT NULL CONSTRAINT approvals_request_state
        CHECK (state IN ('open', 'approved', 'rejected', 'void', 'withdrawn', 'expired')),
    turn smallint NOT NULL DEFAULT 0,
    opened_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CONSTRAINT approvals_expiry_ahead CHECK (expires_at > opened_at),
    waiting_since timestamptz NOT NULL,
    reminders smallint NOT NULL DEFAULT 0,
    next_look_at timestamptz,
    closed_at timestamptz,
    closed_by text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '' CONSTRAINT approvals_note_length CHECK (length(note) <= 500),
    CONSTRAINT approvals_request_id PRIMARY KEY (merchant_id, id),
    -- A version is asked about once, so that no signature over it can serve a second time.
    CONSTRAINT approvals_version_once UNIQUE (merchant_id, subject, version),
    -- While steps are missing it is open, and says when it will be looked at next (I-23).
    CONSTRAINT approvals_request_turn CHECK (
        turn BETWEEN 0 AND cardinality(chain)
        AND CASE state WHEN 'open' THEN turn < cardinality(chain) WHEN 'approved' THEN turn = cardinality(chain) ELSE true END),
    CONSTRAINT approvals_request_closed CHECK (
        (state = 'open') = (closed_at IS NULL) AND (state = 'open') = (next_look_at IS NOT NULL))
);
-- A subject has one request that stands or may come to stand.
CREATE UNIQUE INDEX approvals_one_live ON approvals_request (merchant_id, subject) WHERE state IN ('open', 'approved');
CREATE INDEX approvals_request_next_look ON approvals_request (next_look_at) WHERE state = 'open';
CREATE INDEX approvals_request_listing ON approvals_request (merchant_id, opened_at, id);
CREATE INDEX approvals_request_waiting ON approvals_request (merchant_id, opened_at, id) WHERE state = 'open';

-- A role lent to somebody else for a while. A delegate counts as themselves and as who lent the role.
CREATE TABLE approvals_delegation (
    merchant_id bigint NOT NULL REFERENCES merchants_merchant,
    id bigint GENERATED ALWAYS AS IDENTITY,
    staff_id bigint NOT NULL,
    person text NOT NULL,
    role text NOT NULL,
    delegate_staff_id bigint NOT NULL,
    delegate_person text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CONSTRAINT approvals_delegation_window CHECK (ends_at > starts_at),
    next_look_at timestamptz,
    ended_at timestamptz,
    ended_by text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT approvals_delegate_other CHECK (person <> delegate_person AND staff_id <> delegate_staff_id),
    CONSTRAINT approvals_delegation_ended CHECK ((ended_at IS NULL) = (next_look_at IS NOT NULL))
);
-- Somebody lends their role to one person at a time.
CREATE UNIQUE INDEX approvals_delegation_one ON approvals_delegation (merchant_id, staff_id) WHERE ended_at IS NULL;
CREATE INDEX approvals_delegation_next_look ON approvals_delegation (next_look_at) WHERE ended_at IS NULL;

-- One step of a chain, signed. A passkey's assertion is kept whole, so that it can be verified again for ever; where
-- the merchant's profile allows a code instead, a keyed seal stands for it. A struck signature counts no more.
CREATE TABLE approvals_signature (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    request_id uuid NOT NULL,
    step smallint NOT NULL,
    role text NOT NULL,
    staff_id bigint NOT NULL,
    person text NOT NULL,
    stands_for text[] NOT NULL CONSTRAINT approvals_signature_stands_for CHECK (person = ANY (stands_for)),
    delegation_id bigint,
    credential_id bytea,
    authenticator_data bytea,
    client_data bytea,
    signature bytea,
    seal bytea,
    signed_at timestamptz NOT NULL,
    struck_at timestamptz,
    struck_for text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT approvals_signature_request FOREIGN KEY (merchant_id, request_id)
        REFERENCES approvals_request (merchant_id, id),
    CONSTRAINT approvals_signature_delegation FOREIGN KEY (merchant_id, delegation_id)
        REFERENCES approvals_delegation (merchant_id, id),
    CONSTRAINT approvals_signature_whole CHECK (
        num_nulls(credential_id, authenticator_data, client_data, signature) = CASE WHEN seal IS NULL THEN 0 ELSE 4 END),
    CONSTRAINT approvals_signature_struck CHECK ((struck_at IS NULL) = (struck_for = ''))
);
-- A step is signed once, and one person counts once; the trigger below sees to whom else the person counts as.
CREATE UNIQUE INDEX approvals_step_once ON approvals_signature (merchant_id, request_id, step) WHERE struck_at IS NULL;
CREATE UNIQUE INDEX approvals_person_once ON approvals_signature (merchant_id, request_id, person) WHERE struck_at IS NULL;
-- An assertion serves once, struck or not.
CREATE UNIQUE INDEX approvals_assertion_once ON approvals_signature (merchant_id, signature);

-- How a merchant's people may sign: with a passkey, and with a code only where this says so.
CREATE TABLE approvals_profile (
    merchant_id bigint PRIMARY KEY REFERENCES merchants_merchant,
    totp_allowed boolean NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL
);

CREATE TRIGGER approvals_request_moves AFTER UPDATE ON approvals_request
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('approval');
CREATE TRIGGER approvals_signature_lawful BEFORE INSERT ON approvals_signature
    FOR EACH ROW EXECUTE FUNCTION approvals_signature_lawful_v1();
CREATE TRIGGER approvals_request_stays BEFORE DELETE OR TRUNCATE ON approvals_request
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER approvals_signature_stays BEFORE DELETE OR TRUNCATE ON approvals_signature
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER approvals_delegation_stays BEFORE DELETE OR TRUNCATE ON approvals_delegation
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER approvals_signature_struck_once BEFORE UPDATE ON approvals_signature
    FOR EACH ROW WHEN (OLD.struck_at IS NOT NULL) EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER approvals_delegation_ended_once BEFORE UPDATE ON approvals_delegation
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION kernel_refuse_change_v1();

GRANT INSERT, UPDATE (state, turn, waiting_since, reminders, next_look_at, closed_at, closed_by, note)
    ON approvals_request TO houfu_app;
GRANT INSERT, UPDATE (struck_at, struck_for) ON approvals_signature TO houfu_app;
GRANT INSERT, UPDATE (next_look_at, ended_at, ended_by) ON approvals_delegation TO houfu_app;
GRANT INSERT, UPDATE (totp_allowed, set_by, set_at) ON approvals_profile TO houfu_app;
