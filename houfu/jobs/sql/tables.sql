-- jobs: work that takes long, as rows. A job moves on step by step; each step is one transaction that leaves its mark.

-- `arguments` is canonical JSON. `needs` is what one must be able to do in order to see the job, and `stores` what its
-- asker was bound to: whoever may not see all of that now may not see what came of it. `mark` is where the next step
-- begins, in its kind's own words; `steps` counts those that are done, so that none is done twice; `tries` is of the
-- next one. A job that is open or keeps a file has a place, of which a merchant has twenty.
CREATE TABLE jobs_job (
    merchant_id bigint NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT jobs_job_kind CHECK (kind ~ '^[a-z_]+\.[a-z_]+$'),
    arguments text NOT NULL CONSTRAINT jobs_job_arguments
        CHECK (arguments::json IS NOT NULL AND length(arguments) <= 10000),
    reason text NOT NULL CONSTRAINT jobs_job_reason CHECK (length(reason) <= 200),
    needs text[] NOT NULL,
    stores bigint[],
    asked_by text NOT NULL,
    by_platform boolean NOT NULL,
    asked_at timestamptz NOT NULL,
    place smallint CONSTRAINT jobs_job_room CHECK (place BETWEEN 1 AND 20),
    state text NOT NULL CONSTRAINT jobs_job_state
        CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    mark text CONSTRAINT jobs_job_mark CHECK (length(mark) <= 100000),
    steps integer NOT NULL DEFAULT 0,
    tries smallint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    total bigint,
    result text CONSTRAINT jobs_job_result CHECK (length(result) <= 100000),
    code text NOT NULL DEFAULT '',
    ended_at timestamptz,
    file_name text,
    media_type text,
    file_bytes bigint NOT NULL DEFAULT 0,
    expires_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT jobs_job_progress CHECK (0 <= done AND done <= total),
    CONSTRAINT jobs_job_ended CHECK ((ended_at IS NULL) = (state IN ('waiting', 'running'))),
    CONSTRAINT jobs_job_failed_says_why CHECK ((state = 'failed') = (code <> '')),
    CONSTRAINT jobs_job_file CHECK (expires_at IS NULL OR state = 'done' AND file_name IS NOT NULL),
    CONSTRAINT jobs_job_has_its_place CHECK (
        (place IS NOT NULL) = (state IN ('waiting', 'running') OR expires_at IS NOT NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX jobs_job_place ON jobs_job (merchant_id, place) WHERE place IS NOT NULL;
CREATE INDEX jobs_job_listing ON jobs_job (merchant_id, asked_at, id);
CREATE INDEX jobs_job_open ON jobs_job (merchant_id, asked_at, id) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_job_expiring ON jobs_job (expires_at) WHERE expires_at IS NOT NULL;
CREATE TRIGGER jobs_job_moves AFTER UPDATE ON jobs_job
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('job');
CREATE TRIGGER jobs_job_stays BEFORE DELETE OR TRUNCATE ON jobs_job
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER jobs_job_is_what_was_asked
    BEFORE UPDATE OF merchant_id, id, kind, arguments, reason, needs, stores, asked_by, by_platform, asked_at
    ON jobs_job FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

-- The file that a job makes, in the pieces that its steps brought; gone when it expires.
CREATE TABLE jobs_piece (
    merchant_id bigint NOT NULL,
    job_id uuid NOT NULL,
    no integer NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (merchant_id, job_id, no),
    CONSTRAINT jobs_piece_job FOREIGN KEY (merchant_id, job_id) REFERENCES jobs_job (merchant_id, id)
);

GRANT INSERT, UPDATE (place, state, mark, steps, tries, done, total, result, code, ended_at, file_bytes, expires_at)
    ON jobs_job TO houfu_app;
GRANT INSERT, DELETE ON jobs_piece TO houfu_app;
