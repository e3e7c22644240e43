-- webhooks: history told to other systems. Endpoints, the keys that sign for them, deliveries and every attempt.

-- Where a merchant's history is told. `cursor` is the last link that was looked at for it; all links after `told_from`
-- that its verbs name have a delivery, of a partner's (`partner_id`) those about its stores. `place` counts a merchant's endpoints, of which there are twenty at most.
CREATE TABLE webhooks_endpoint (
    merchant_id bigint NOT NULL REFERENCES merchants_merchant,
    id bigint GENERATED ALWAYS AS IDENTITY,
    place smallint NOT NULL CONSTRAINT webhooks_endpoint_room CHECK (place BETWEEN 1 AND 20),
    -- Encrypted, but for a listener on the machine itself, which a trial instance alone may have.
    url text NOT NULL CONSTRAINT webhooks_endpoint_url CHECK (
        length(url) <= 2000 AND url ~ '^(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])[!-~]+$'),
    verbs text[] NOT NULL CONSTRAINT webhooks_endpoint_verbs CHECK (
        cardinality(verbs) BETWEEN 1 AND 50
        AND ' ' || array_to_string(verbs, ' ') ~ '^( (\*|[a-z_]+\.(\*|[a-z_]+)))+$'),
    state text NOT NULL CONSTRAINT webhooks_endpoint_state CHECK (state IN ('active', 'disabled', 'removed')),
    disabled_for text CONSTRAINT webhooks_endpoint_disabled_for CHECK (
        (disabled_for IS NULL) = (state <> 'disabled')
        AND disabled_for IN ('asked', 'unreachable', 'gone')),
    told_from bigint NOT NULL,
    cursor bigint NOT NULL,
    failures integer NOT NULL DEFAULT 0,   -- in a row
    rests_until timestamptz,               -- nothing is sent before, after several failures in a row
    tried_at timestamptz,
    delivered_at timestamptz,
    latency_ms integer,                    -- of the last delivery
    added_at timestamptz NOT NULL,
    partner_id bigint,
    store_ids bigint[],
    PRIMARY KEY (merchant_id, id),
    -- A partner's endpoint is told that limits of its stores have moved, and nothing else (L8).
    CONSTRAINT webhooks_endpoint_partner CHECK (
        CASE WHEN partner_id IS NULL THEN store_ids IS NULL
             ELSE verbs = '{limit.changed}' AND cardinality(store_ids) BETWEEN 1 AND 1000
                  AND array_position(store_ids, NULL) IS NULL END),
    CONSTRAINT webhooks_endpoint_cursor CHECK (0 <= told_from AND told_from <= cursor)
);
CREATE UNIQUE INDEX webhooks_endpoint_place ON webhooks_endpoint (merchant_id, place) WHERE state <> 'removed';
CREATE TRIGGER webhooks_endpoint_moves AFTER UPDATE ON webhooks_endpoint
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('endpoint');
CREATE TRIGGER webhooks_endpoint_stays BEFORE DELETE OR TRUNCATE ON webhooks_endpoint
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

-- What signs for an endpoint: a shared secret and a pair of keys, both halves that matter sealed. One is current; the
-- one before it may go on signing until it retires.
CREATE TABLE webhooks_key (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    endpoint_id bigint NOT NULL,
    public_key text NOT NULL,
    secret_sealed bytea NOT NULL,
    private_sealed bytea NOT NULL,
    made_at timestamptz NOT NULL,
    retires_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT webhooks_key_sealed CHECK (length(secret_sealed) > 44 AND length(private_sealed) > 44),
    CONSTRAINT webhooks_key_endpoint FOREIGN KEY (merchant_id, endpoint_id)
        REFERENCES webhooks_endpoint (merchant_id, id)
);
CREATE UNIQUE INDEX webhooks_key_one_current ON webhooks_key (merchant_id, endpoint_id) WHERE retires_at IS NULL;
CREATE UNIQUE INDEX webhooks_key_one_retiring ON webhooks_key (merchant_id, endpoint_id) WHERE retires_at IS NOT NULL;

-- One link for one endpoint; no foreign key refers to the link, so that nothing hangs on the chain. A row that is pending
-- says when it will be tried next, so that none is lost or stuck (I-23). `tries` and `since` are of the present round of
-- attempts; a replay begins another.
CREATE TABLE webhooks_delivery (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    endpoint_id bigint NOT NULL,
    seq bigint NOT NULL,
    state text NOT NULL CONSTRAINT webhooks_delivery_state CHECK (state IN ('pending', 'delivered', 'given_up')),
    tries integer NOT NULL DEFAULT 0,
    since timestamptz,
    next_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    ended_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT webhooks_delivery_once UNIQUE (merchant_id, endpoint_id, seq),
    CONSTRAINT webhooks_delivery_endpoint FOREIGN KEY (merchant_id, endpoint_id)
        REFERENCES webhooks_endpoint (merchant_id, id),
    CONSTRAINT webhooks_delivery_pending CHECK (
        (state = 'pending') = (next_at IS NOT NULL) AND (next_at IS NULL) = (ended_at IS NOT NULL))
);
CREATE INDEX webhooks_delivery_waiting ON webhooks_delivery (merchant_id, endpoint_id, seq) WHERE state = 'pending';
CREATE TRIGGER webhooks_delivery_moves AFTER UPDATE ON webhooks_delivery
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('delivery');
CREATE INDEX webhooks_delivery_ended ON webhooks_delivery (merchant_id, ended_at);
CREATE TRIGGER webhooks_delivery_stays BEFORE TRUNCATE ON webhooks_delivery
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
-- What has ended may go once its endpoint counts as told from a later link on, and its attempts with it.
CREATE FUNCTION webhooks_delivery_goes_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state = 'pending' OR NOT EXISTS (
        SELECT FROM webhooks_endpoint e
        WHERE (e.merchant_id, e.id) = (OLD.merchant_id, OLD.endpoint_id) AND e.told_from >= OLD.seq) THEN
        RAISE 'this delivery is still told of' USING ERRCODE = 'HF002';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER webhooks_delivery_goes BEFORE DELETE ON webhooks_delivery
    FOR EACH ROW EXECUTE FUNCTION webhooks_delivery_goes_v1();

-- Every attempt, and how it ended.
CREATE TABLE webhooks_attempt (
    merchant_id bigint NOT NULL,
    delivery_id bigint NOT NULL,
    no integer NOT NULL,
    at timestamptz NOT NULL,
    outcome text NOT NULL CONSTRAINT webhooks_attempt_outcome CHECK (outcome ~ '^[a-z_]{1,40}$'),
    status smallint,
    latency_ms integer NOT NULL,
    PRIMARY KEY (merchant_id, delivery_id, no),
    CONSTRAINT webhooks_attempt_delivery FOREIGN KEY (merchant_id, delivery_id)
        REFERENCES webhooks_delivery (merchant_id, id) ON DELETE CASCADE
);
CREATE TRIGGER webhooks_attempt_written_once BEFORE UPDATE OR TRUNCATE ON webhooks_attempt
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE FUNCTION webhooks_attempt_goes_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM webhooks_delivery d WHERE (d.merchant_id, d.id) = (OLD.merchant_id, OLD.delivery_id)) THEN
        RAISE 'an attempt goes with its delivery' USING ERRCODE = 'HF002';
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER webhooks_attempt_goes BEFORE DELETE ON webhooks_attempt
    FOR EACH ROW EXECUTE FUNCTION webhooks_attempt_goes_v1();

GRANT INSERT, UPDATE (url, verbs, state, disabled_for, told_from, cursor, failures, rests_until, tried_at, delivered_at,
                      latency_ms) ON webhooks_endpoint TO houfu_app;
GRANT INSERT, UPDATE (retires_at), DELETE ON webhooks_key TO houfu_app;
GRANT UPDATE (secret_sealed, private_sealed) ON webhooks_key TO houfu_worker;
GRANT INSERT, UPDATE (state, tries, since, next_at, attempts, ended_at) ON webhooks_delivery TO houfu_app;
GRANT INSERT ON webhooks_attempt TO houfu_app;
GRANT DELETE ON webhooks_delivery TO houfu_worker;
