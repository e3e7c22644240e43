-- kernel: the instance's own identity, the moves that states may take, and the answers kept for repeated requests.

-- Whoever migrates is a member of the roles that it makes: to put them on, and to hand functions over to houfu_engine.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['houfu_app', 'houfu_engine', 'houfu_verify', 'houfu_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
            IF wanted = 'houfu_worker' THEN GRANT houfu_app TO houfu_worker; END IF;
        END IF;
    END LOOP;
END $$;
GRANT USAGE ON SCHEMA public TO houfu_app, houfu_verify;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO houfu_app, houfu_verify;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- Whose database this is. The same id lies in a file of the data folder; a copy of the database has no such file
-- and sends nothing (I-26). A trial instance may have its clock moved; a live one never.
CREATE TABLE kernel_instance (
    only_one boolean PRIMARY KEY DEFAULT true CONSTRAINT kernel_one_instance CHECK (only_one),
    id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT kernel_instance_kind CHECK (kind IN ('live', 'trial')),
    created_at timestamptz NOT NULL
);
GRANT INSERT ON kernel_instance TO houfu_app;

-- Every step a state may take, from the rooms' tables of moves; a trigger on each table refuses any other (I-10).
CREATE TABLE kernel_move (
    machine text NOT NULL,
    source text NOT NULL,
    target text NOT NULL,
    PRIMARY KEY (machine, source, target)
);

CREATE FUNCTION kernel_refuse_move_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM rows_before b JOIN rows_after a USING (merchant_id, id)
        WHERE a.state <> b.state
          AND NOT EXISTS (SELECT FROM kernel_move m
                          WHERE m.machine = TG_ARGV[0] AND m.source = b.state AND m.target = a.state)
    ) THEN
        RAISE 'a % may not take this step', TG_ARGV[0] USING ERRCODE = 'HF001';
    END IF;
    RETURN NULL;
END $$;

-- Rows that are written once: the trigger refuses for every role, the owner included.
CREATE FUNCTION kernel_refuse_change_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE 'rows of % are written once', TG_TABLE_NAME USING ERRCODE = 'HF002';
END $$;

-- The keys by which merchants' data is sealed, each wrapped by a key outside the database; `kek` says which. One is active
-- for each ring; those before it read what they have sealed, in backups too, until they are destroyed.
CREATE TABLE kernel_data_key (
    merchant_id bigint NOT NULL,
    id uuid NOT NULL,
    ring text NOT NULL CONSTRAINT kernel_data_key_ring CHECK (ring IN ('vault', 'webhooks')),
    state text NOT NULL CONSTRAINT kernel_data_key_state CHECK (state IN ('active', 'retiring', 'retired', 'destroyed')),
    kek integer NOT NULL CONSTRAINT kernel_data_key_kek CHECK (kek > 0),
    wrapped bytea,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT kernel_data_key_destroyed CHECK ((wrapped IS NULL) = (state = 'destroyed'))
);
CREATE UNIQUE INDEX kernel_data_key_one_active ON kernel_data_key (merchant_id, ring) WHERE state = 'active';
CREATE TRIGGER kernel_data_key_moves AFTER UPDATE ON kernel_data_key
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('data_key');
CREATE TRIGGER kernel_data_key_stays BEFORE DELETE OR TRUNCATE ON kernel_data_key
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
GRANT INSERT ON kernel_data_key TO houfu_app;
GRANT UPDATE (state, kek, wrapped) ON kernel_data_key TO houfu_worker;

-- The answer to a request that carried an Idempotency-Key, committed with its effect (I-11); sealed, for it may hold a
-- secret that is shown once (I-17).
CREATE TABLE kernel_answer (
    merchant_id bigint NOT NULL,
    principal text NOT NULL,
    operation text NOT NULL,
    key text NOT NULL CONSTRAINT kernel_answer_key_length CHECK (length(key) BETWEEN 1 AND 255),
    request_digest bytea NOT NULL,
    status smallint NOT NULL,
    body_sealed bytea NOT NULL CONSTRAINT kernel_answer_sealed CHECK (length(body_sealed) >= 44),
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, principal, operation, key)
);
GRANT INSERT ON kernel_answer TO houfu_app;
GRANT UPDATE (body_sealed) ON kernel_answer TO houfu_worker;
