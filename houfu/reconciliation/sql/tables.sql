-- reconciliation: what the channels' statements say, line by line, and whether the books agree.

CREATE TABLE reconciliation_statement (
    merchant_id bigint NOT NULL,
    channel_account_id bigint NOT NULL,
    day date NOT NULL,
    final boolean NOT NULL,
    lines integer NOT NULL,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, channel_account_id, day),
    CONSTRAINT reconciliation_statement_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id)
);

-- A line was booked by us now, agrees with what was booked before, or is a break: its code says why (I-13).
CREATE TABLE reconciliation_line (
    merchant_id bigint NOT NULL,
    channel_account_id bigint NOT NULL,
    day date NOT NULL,
    no text COLLATE "C" NOT NULL,
    kind text NOT NULL CONSTRAINT reconciliation_line_kind
        CHECK (kind IN ('settlement', 'refund', 'transfer', 'transfer_fee', 'return', 'split', 'split_return')),
    ref text COLLATE "C" NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT reconciliation_line_amount CHECK (amount_fen > 0),
    fee_fen bigint NOT NULL,
    at timestamptz NOT NULL,
    outcome text NOT NULL CONSTRAINT reconciliation_line_outcome CHECK (outcome IN ('booked', 'agrees', 'break')),
    code text NOT NULL,
    CONSTRAINT reconciliation_line_once PRIMARY KEY (merchant_id, channel_account_id, day, no),
    CONSTRAINT reconciliation_line_break_says_why CHECK ((outcome = 'break') = (code <> ''))
);
CREATE INDEX reconciliation_line_breaks ON reconciliation_line (merchant_id, day, no) WHERE outcome = 'break';
CREATE INDEX reconciliation_line_ref ON reconciliation_line (merchant_id, ref, kind);

CREATE TRIGGER reconciliation_line_written_once BEFORE DELETE OR TRUNCATE ON reconciliation_line
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

GRANT INSERT, UPDATE (final, lines, fetched_at) ON reconciliation_statement TO houfu_app;
GRANT INSERT, UPDATE (outcome, code) ON reconciliation_line TO houfu_app;
