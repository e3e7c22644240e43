-- people: natural persons, the staff that they are at merchants, their passkeys, and API keys. Merchant 0 is the
-- platform itself.

-- A natural person, known by a keyed digest of an identity document alone: whoever has two accounts is one person.
CREATE TABLE people_person (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity_digest bytea NOT NULL CONSTRAINT people_person_identity UNIQUE,
    created_at timestamptz NOT NULL
);
GRANT INSERT ON people_person TO houfu_app;

-- What a person is at a merchant, and the settings of their own, never above those of the role (S1–S6).
-- `store_ids` NULL means every store; an invitation's secret is kept as its digest until it is accepted.
CREATE TABLE people_staff (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    person_id bigint NOT NULL REFERENCES people_person,
    name text NOT NULL CONSTRAINT people_staff_name CHECK (length(name) BETWEEN 1 AND 100),
    role text NOT NULL CONSTRAINT people_staff_role CHECK (
        role IN ('clerk', 'store_manager', 'regional_manager', 'owner', 'supervisor', 'legal', 'finance',
                 'risk_officer', 'auditor', 'operator')),
    state text NOT NULL CONSTRAINT people_staff_state CHECK (state IN ('invited', 'active', 'disabled')),
    store_ids bigint[],
    daily_count smallint NOT NULL CONSTRAINT people_staff_daily_count CHECK (daily_count BETWEEN 1 AND 5),
    per_payout_fen bigint CONSTRAINT people_staff_per_payout CHECK (per_payout_fen > 0),
    monthly_fen bigint CONSTRAINT people_staff_monthly CHECK (monthly_fen > 0),
    invited_by text NOT NULL,
    created_at timestamptz NOT NULL,
    invitation_digest bytea,
    invitation_expires_at timestamptz,
    approvals_blocked_until timestamptz,
    PRIMARY KEY (merchant_id, id),
    -- The platform's people work for the platform alone, and nobody else does.
    CONSTRAINT people_staff_platform_role CHECK ((role = 'operator') = (merchant_id = 0)),
    -- Clerks and store managers are of stores, a regional manager may be; every other role is of the whole merchant.
    CONSTRAINT people_staff_stores CHECK (
        CASE WHEN store_ids IS NULL THEN role NOT IN ('clerk', 'store_manager')
             ELSE cardinality(store_ids) BETWEEN 1 AND 1000 AND array_position(store_ids, NULL) IS NULL
                  AND role IN ('clerk', 'store_manager', 'regional_manager') END)
);
CREATE INDEX people_staff_of_person ON people_staff (person_id);

CREATE TRIGGER people_staff_moves AFTER UPDATE ON people_staff
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('staff');
CREATE TRIGGER people_staff_stays BEFORE DELETE OR TRUNCATE ON people_staff
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
GRANT INSERT, UPDATE (role, state, store_ids, daily_count, per_payout_fen, monthly_fen, invitation_digest,
                      invitation_expires_at, approvals_blocked_until) ON people_staff TO houfu_app;

-- A passkey of a staff member, made for one name of this instance (`rp_id`). One that was removed stays: what it signed
-- while it was valid must verify later. `sign_count` is the highest that it has said.
CREATE TABLE people_passkey (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    staff_id bigint NOT NULL,
    credential_id bytea NOT NULL CONSTRAINT people_passkey_taken UNIQUE,
    public_key bytea NOT NULL,
    rp_id text NOT NULL,
    sign_count bigint NOT NULL DEFAULT 0,
    added_at timestamptz NOT NULL,
    removed_at timestamptz CONSTRAINT people_passkey_removed_later CHECK (removed_at >= added_at),
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT people_passkey_staff FOREIGN KEY (merchant_id, staff_id) REFERENCES people_staff (merchant_id, id)
);
CREATE INDEX people_passkey_of_staff ON people_passkey (merchant_id, staff_id);
CREATE TRIGGER people_passkey_stays BEFORE DELETE OR TRUNCATE ON people_passkey
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
GRANT INSERT, UPDATE (removed_at, sign_count) ON people_passkey TO houfu_app;

-- API keys. The secret is 256 bits and kept as its SHA-256 alone. What people alone may do, no key may carry.
-- A key of a member of the staff has their role and stores, and ends with them.
-- A key of a partner (`partner_id`, a party of the merchant's) reads the limits of `store_ids`.
-- A key with `networks` opens something from these addresses alone. With a `public_key` (Ed25519) what moves money must be
-- signed by its other half. It speaks the version of the API that was the newest when it was made.
CREATE TABLE people_api_key (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL CONSTRAINT people_key_name_length CHECK (length(name) BETWEEN 1 AND 100),
    person text NOT NULL CONSTRAINT people_key_person_length CHECK (length(person) BETWEEN 1 AND 100),
    secret_digest bytea NOT NULL,
    scopes text[] NOT NULL CONSTRAINT people_key_has_scope CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
        CONSTRAINT people_key_one_year CHECK (expires_at > created_at AND expires_at <= created_at + interval '366 days'),
    revoked_at timestamptz,
    staff_id bigint,
    networks cidr[] CONSTRAINT people_key_networks CHECK (cardinality(networks) BETWEEN 1 AND 100),
    partner_id bigint,
    store_ids bigint[],
    api_version text NOT NULL CONSTRAINT people_key_api_version CHECK (api_version ~ '^\d{4}-\d\d-\d\d$'),
    public_key bytea CONSTRAINT people_key_public CHECK (length(public_key) = 32),
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT people_key_staff FOREIGN KEY (merchant_id, staff_id) REFERENCES people_staff (merchant_id, id),
    CONSTRAINT people_key_platform_scope CHECK (merchant_id = 0 OR NOT scopes && '{platform:write,risk:write}'),
    -- A partner's key reads the limits of named stores and nothing else; no other key is bound to stores by itself (L8).
    CONSTRAINT people_key_partner CHECK (
        CASE WHEN partner_id IS NULL THEN store_ids IS NULL AND NOT scopes && '{limits:watch}'
             ELSE scopes = '{limits:watch}' AND staff_id IS NULL AND merchant_id > 0
                  AND cardinality(store_ids) BETWEEN 1 AND 1000 AND array_position(store_ids, NULL) IS NULL END),
    CONSTRAINT people_key_person_scope CHECK (
        NOT scopes && '{approvals:write,beneficiaries:write,people:write,webhooks:write}')
);
GRANT INSERT, UPDATE (revoked_at) ON people_api_key TO houfu_app;

-- What a merchant asks of those who act for it, beyond what is asked of everybody: whether its keys move money by signed
-- requests alone, and whether a face may stand for a passkey (S8).
CREATE TABLE people_profile (
    merchant_id bigint PRIMARY KEY,
    signatures_required boolean NOT NULL,
    face_allowed boolean NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL
);
GRANT INSERT, UPDATE (signatures_required, face_allowed, set_by, set_at) ON people_profile TO houfu_app;

-- The nonces of signed requests that could still come again; by the machine's clock.
CREATE TABLE people_nonce (
    merchant_id bigint NOT NULL,
    key_id bigint NOT NULL,
    nonce text NOT NULL CONSTRAINT people_nonce_length CHECK (length(nonce) BETWEEN 16 AND 64),
    seen_at timestamptz NOT NULL,
    CONSTRAINT people_nonce_once PRIMARY KEY (merchant_id, key_id, nonce),
    CONSTRAINT people_nonce_key FOREIGN KEY (merchant_id, key_id) REFERENCES people_api_key (merchant_id, id)
);
CREATE INDEX people_nonce_old ON people_nonce (merchant_id, seen_at);
GRANT INSERT, DELETE ON people_nonce TO houfu_app;
