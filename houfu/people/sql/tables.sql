-- people: API keys. The secret is 256 bits and kept as its SHA-256 alone. Merchant 0 holds the platform's own keys.

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
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT people_key_platform_scope CHECK (merchant_id = 0 OR 'platform:write' <> ALL (scopes))
);
GRANT INSERT, UPDATE (revoked_at) ON people_api_key TO houfu_app;
