-- imports: files of order events on their way to orders, kept so that a broken import goes on where it stopped.

-- One row per set of files under one mapping, known by its digest: the same files again are the same import.
CREATE TABLE imports_import (
    merchant_id bigint NOT NULL REFERENCES merchants_merchant,
    id bigint GENERATED ALWAYS AS IDENTITY,
    digest bytea NOT NULL,
    files text[] NOT NULL,
    mapping text NOT NULL,
    state text NOT NULL CONSTRAINT imports_import_state CHECK (state IN ('reading', 'working', 'done')),
    started_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT imports_import_once UNIQUE (merchant_id, digest)
);

-- Rows of the files while they are read: `part_of` names the order, `joins` what a row of another table belongs to.
CREATE TABLE imports_row (
    merchant_id bigint NOT NULL,
    import_id bigint NOT NULL,
    file smallint NOT NULL,
    line bigint NOT NULL,
    source text NOT NULL,
    part_of text COLLATE "C",
    joins text COLLATE "C" NOT NULL,
    fields jsonb NOT NULL,
    PRIMARY KEY (merchant_id, import_id, file, line),
    FOREIGN KEY (merchant_id, import_id) REFERENCES imports_import (merchant_id, id)
);
CREATE INDEX imports_row_order ON imports_row (merchant_id, import_id, part_of) WHERE part_of IS NOT NULL;
CREATE INDEX imports_row_joins ON imports_row (merchant_id, import_id, source, joins) WHERE part_of IS NULL;

-- What could not be used, and what was bent to fit; both with the line and the reason.
CREATE TABLE imports_remark (
    merchant_id bigint NOT NULL,
    import_id bigint NOT NULL,
    file smallint NOT NULL,
    line bigint NOT NULL,
    code text NOT NULL,
    detail text NOT NULL,
    bad boolean NOT NULL,
    PRIMARY KEY (merchant_id, import_id, file, line, code, detail),
    FOREIGN KEY (merchant_id, import_id) REFERENCES imports_import (merchant_id, id)
);

-- What the files say, in the order in which it is done: by business day, within it by kind (`rank`), then by time.
CREATE TABLE imports_step (
    merchant_id bigint NOT NULL,
    import_id bigint NOT NULL,
    no bigint NOT NULL,
    day date NOT NULL,
    rank smallint NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    store text NOT NULL,
    amount_fen bigint NOT NULL,
    buyer text,
    ref text NOT NULL,
    evidence text NOT NULL,
    file smallint NOT NULL,
    line bigint NOT NULL,
    outcome text,
    code text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, import_id, no),
    FOREIGN KEY (merchant_id, import_id) REFERENCES imports_import (merchant_id, id)
);
CREATE INDEX imports_step_next ON imports_step (merchant_id, import_id, day, rank, at, no) WHERE outcome IS NULL;

GRANT INSERT, UPDATE (state) ON imports_import TO houfu_app;
GRANT INSERT, DELETE ON imports_row TO houfu_app;
GRANT INSERT, DELETE ON imports_remark TO houfu_app;
GRANT INSERT, UPDATE (outcome, code), DELETE ON imports_step TO houfu_app;
