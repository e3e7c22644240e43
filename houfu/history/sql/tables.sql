-- history: what happened, by whom, in one chain of links per merchant. Merchant 0 is the platform itself.

CREATE TABLE history_head (
    merchant_id bigint PRIMARY KEY,
    seq bigint NOT NULL,
    hash bytea NOT NULL
) WITH (fillfactor = 50);

-- A link covers one event, or a whole batch whose rows its `rows_digest` seals in their order.
-- hash = sha256(previous hash ‖ netstrings of merchant_id, seq, at, actor, verb, subject, detail, rows_digest).
CREATE TABLE history_link (
    merchant_id bigint NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    verb text NOT NULL CONSTRAINT history_verb_form CHECK (verb ~ '^[a-z_]+\.[a-z_]+$'),
    subject text NOT NULL,
    detail text NOT NULL CONSTRAINT history_detail_is_json CHECK (detail::json IS NOT NULL),
    rows_digest bytea,
    hash bytea NOT NULL,
    PRIMARY KEY (merchant_id, seq)
);
CREATE INDEX history_link_subject ON history_link (merchant_id, subject);
-- What happened to one kind of thing, newest first, whatever else has happened since.
CREATE INDEX history_link_noun ON history_link (merchant_id, split_part(verb, '.', 1), seq);

CREATE TRIGGER history_link_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON history_link
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
