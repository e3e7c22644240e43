-- merchants: legal persons, their accounts at payment channels, their stores, and groups of stores.

-- A merchant is a legal person: the tenant of everything else.
CREATE TABLE merchants_merchant (
    merchant_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CONSTRAINT merchants_merchant_name CHECK (length(name) BETWEEN 1 AND 200),
    uscc text NOT NULL CONSTRAINT merchants_uscc_valid CHECK (merchants_uscc_valid_v1(uscc)),
    uscc_verified_at timestamptz,
    created_at timestamptz NOT NULL,
    CONSTRAINT merchants_uscc_taken UNIQUE (uscc)
);

-- The principal under which a channel knows the merchant. `maturity_days` overrides the pack's T+n of O4.
CREATE TABLE merchants_channel_account (
    merchant_id bigint NOT NULL REFERENCES merchants_merchant,
    id bigint GENERATED ALWAYS AS IDENTITY,
    channel text NOT NULL CONSTRAINT merchants_channel_name CHECK (channel ~ '^[a-z_]{1,40}$'),
    principal text NOT NULL CONSTRAINT merchants_principal_form CHECK (principal ~ '^[A-Za-z0-9._-]{1,64}$'),
    maturity_days smallint CONSTRAINT merchants_maturity_days CHECK (maturity_days BETWEEN 0 AND 90),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT merchants_principal_taken UNIQUE (merchant_id, channel, principal)
);

-- At most ten stores share limits (G3); all of them collect under one principal (G2). `size` counts them under a lock.
CREATE TABLE merchants_group (
    merchant_id bigint NOT NULL REFERENCES merchants_merchant,
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL CONSTRAINT merchants_group_name CHECK (length(name) BETWEEN 1 AND 200),
    channel_account_id bigint NOT NULL,
    size smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT merchants_group_principal UNIQUE (merchant_id, id, channel_account_id),
    CONSTRAINT merchants_group_channel_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id)
);

CREATE TABLE merchants_store (
    merchant_id bigint NOT NULL REFERENCES merchants_merchant,
    id bigint GENERATED ALWAYS AS IDENTITY,
    code text NOT NULL CONSTRAINT merchants_store_code CHECK (code ~ '^[A-Za-z0-9._:-]{1,64}$'),
    name text NOT NULL CONSTRAINT merchants_store_name CHECK (length(name) BETWEEN 1 AND 200),
    channel_account_id bigint NOT NULL,
    group_id bigint,
    state text NOT NULL CONSTRAINT merchants_store_state CHECK (state IN ('active', 'frozen', 'closed')),
    frozen_for text,
    -- Whether the store shares limits and buyer lines with others (G1, O5): nobody else switches it on.
    sharing boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT merchants_store_code_taken UNIQUE (merchant_id, code),
    -- A frozen store says why, and only a frozen one does.
    CONSTRAINT merchants_store_frozen_for CHECK ((state = 'frozen') = (frozen_for IS NOT NULL)),
    CONSTRAINT merchants_store_channel_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id),
    -- A store can only be in a group of its own merchant and its own principal (G2).
    CONSTRAINT merchants_group_one_principal FOREIGN KEY (merchant_id, group_id, channel_account_id)
        REFERENCES merchants_group (merchant_id, id, channel_account_id)
);
CREATE INDEX merchants_store_of_group ON merchants_store (merchant_id, group_id) WHERE group_id IS NOT NULL;

-- Under a logistics agreement with a carrier what an account at a channel, or one of its stores, is credited matures at
-- the pack's T+n for such (O4). The days are of business, both included; only when it was ended early is added. The
-- carrier is a party of the merchant's (splits_party, which refers to it there).
CREATE TABLE merchants_logistics_agreement (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    channel_account_id bigint NOT NULL,
    store_id bigint,
    carrier_id bigint NOT NULL,
    document text NOT NULL CONSTRAINT merchants_agreement_document CHECK (length(document) BETWEEN 1 AND 500),
    valid_from date NOT NULL,
    valid_until date NOT NULL,
    noted_by text NOT NULL,
    noted_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT merchants_agreement_days CHECK (valid_until >= valid_from),
    CONSTRAINT merchants_agreement_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id),
    CONSTRAINT merchants_agreement_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id)
);
CREATE INDEX merchants_agreement_of_account ON merchants_logistics_agreement (merchant_id, channel_account_id);
CREATE TRIGGER merchants_agreement_stays BEFORE DELETE OR TRUNCATE ON merchants_logistics_agreement
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

-- merchants_agreed_v1: whether something of a store was credited under a logistics agreement in force at an instant.
CREATE FUNCTION merchants_agreed_v1(_merchant bigint, _account bigint, _store bigint, _at timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN EXISTS (SELECT FROM merchants_logistics_agreement a
                   WHERE a.merchant_id = _merchant AND a.channel_account_id = _account
                     AND (a.store_id IS NULL OR a.store_id = _store) AND (a.ended_at IS NULL OR a.ended_at > _at)
                     AND (_at AT TIME ZONE 'Asia/Shanghai')::date BETWEEN a.valid_from AND a.valid_until);
GRANT EXECUTE ON FUNCTION merchants_agreed_v1 TO houfu_app;

CREATE TRIGGER merchants_store_moves AFTER UPDATE ON merchants_store
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('store');
CREATE TRIGGER merchants_store_stays BEFORE DELETE OR TRUNCATE ON merchants_store
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

GRANT INSERT, UPDATE (name, uscc_verified_at) ON merchants_merchant TO houfu_app;
GRANT INSERT, UPDATE (maturity_days) ON merchants_channel_account TO houfu_app;
GRANT INSERT, UPDATE (ended_at) ON merchants_logistics_agreement TO houfu_app;
GRANT INSERT, UPDATE (name, size) ON merchants_group TO houfu_app;
GRANT INSERT, UPDATE (name, group_id, state, frozen_for, sharing) ON merchants_store TO houfu_app;
