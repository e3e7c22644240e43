-- risk: which rules look, what was seen and decided, and what people made of it.

-- A version of a rule (K8). What it decides otherwise than the pack stands in `parameters`; everything but its state is
-- written once. The platform's: it belongs to no merchant.
CREATE TABLE risk_rule (
    rule text NOT NULL CONSTRAINT risk_rule_name CHECK (rule ~ '^[a-z_]{1,40}$'),
    version integer NOT NULL CONSTRAINT risk_rule_version CHECK (version > 0),
    state text NOT NULL CONSTRAINT risk_rule_state CHECK (state IN ('draft', 'shadow', 'active', 'retired')),
    effect text NOT NULL CONSTRAINT risk_rule_effect CHECK (effect IN ('alert', 'hold', 'score')),
    parameters text NOT NULL CONSTRAINT risk_rule_parameters CHECK (parameters::json IS NOT NULL),
    why text NOT NULL CONSTRAINT risk_rule_why CHECK (length(why) BETWEEN 4 AND 500),
    drafted_by text NOT NULL,
    drafted_at timestamptz NOT NULL,
    backtest_id uuid,
    promoted_by text,
    promoted_at timestamptz,
    PRIMARY KEY (rule, version),
    -- Who promotes a version did not draft it, and had its back-test before them; the first one came with the product.
    CONSTRAINT risk_rule_second_person CHECK (promoted_by <> drafted_by),
    CONSTRAINT risk_rule_backtested CHECK (
        state <> 'active' OR version = 1 OR (promoted_by IS NOT NULL AND backtest_id IS NOT NULL))
);
CREATE UNIQUE INDEX risk_rule_one_active ON risk_rule (rule) WHERE state = 'active';

-- What a version would have done on history, as it was found at the time.
CREATE TABLE risk_backtest (
    id uuid PRIMARY KEY,
    rule text NOT NULL,
    version integer NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    result text NOT NULL CONSTRAINT risk_backtest_result CHECK (result::json IS NOT NULL),
    run_by text NOT NULL,
    run_at timestamptz NOT NULL,
    CONSTRAINT risk_backtest_days CHECK (first_day <= last_day),
    CONSTRAINT risk_backtest_of_version UNIQUE (id, rule, version),
    CONSTRAINT risk_backtest_version FOREIGN KEY (rule, version) REFERENCES risk_rule (rule, version)
);
ALTER TABLE risk_rule ADD CONSTRAINT risk_rule_own_backtest FOREIGN KEY (backtest_id, rule, version)
    REFERENCES risk_backtest (id, rule, version);

-- A decision with all that it was made on, so that it can be made again (I-20).
CREATE TABLE risk_decision (
    merchant_id bigint NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT risk_decision_kind CHECK (kind IN ('payout', 'usage', 'orders', 'month')),
    subject text NOT NULL,
    at timestamptz NOT NULL,
    policy text NOT NULL,
    facts text NOT NULL CONSTRAINT risk_decision_facts CHECK (facts::json IS NOT NULL),
    applied text NOT NULL CONSTRAINT risk_decision_applied CHECK (applied::json IS NOT NULL),
    outcome text NOT NULL CONSTRAINT risk_decision_outcome CHECK (outcome IN ('allow', 'alert', 'score', 'hold')),
    reason_class text NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT risk_decision_says_why CHECK ((outcome = 'allow') = (reason_class = ''))
);
CREATE INDEX risk_decision_listing ON risk_decision (merchant_id, at, id);
CREATE INDEX risk_decision_subject ON risk_decision (merchant_id, subject);
-- A month, and a store's day, are judged once.
CREATE UNIQUE INDEX risk_decision_once ON risk_decision (merchant_id, kind, subject) WHERE kind IN ('orders', 'month');

-- Which payout came from where: what the velocity rules count, under the lock of what they count by (K2).
CREATE TABLE risk_observation (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    subject text NOT NULL,
    store_id bigint NOT NULL,
    beneficiary_id bigint NOT NULL,
    person text NOT NULL,
    device text NOT NULL,
    ip text NOT NULL,
    country text NOT NULL CONSTRAINT risk_observation_country CHECK (country ~ '^([A-Z]{2})?$'),
    network text NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT risk_observation_amount CHECK (amount_fen > 0),
    at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT risk_observation_once UNIQUE (merchant_id, subject)
);
CREATE INDEX risk_observation_device ON risk_observation (merchant_id, device, id) WHERE device <> '';
CREATE INDEX risk_observation_person ON risk_observation (merchant_id, person, id) WHERE person <> '';
CREATE INDEX risk_observation_payee ON risk_observation (merchant_id, beneficiary_id, id);

-- Whether a limit's usage is above its line, by version, with the two lines apart so that it does not flutter (K1).
CREATE TABLE risk_usage (
    merchant_id bigint NOT NULL,
    subject text NOT NULL,
    version integer NOT NULL,
    alerting boolean NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, subject, version)
);

-- How far a merchant was looked at: the end of its history, the last day and the last month.
CREATE TABLE risk_look (
    merchant_id bigint PRIMARY KEY,
    seq bigint NOT NULL DEFAULT 0,
    day date NOT NULL,
    month date NOT NULL CONSTRAINT risk_look_month CHECK (extract(day FROM month) = 1)
);

-- A case: people looking into a subject. The outcome last decided stays in force until another is.
CREATE TABLE risk_case (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    subject text NOT NULL,
    store_id bigint,
    person text NOT NULL DEFAULT '',
    reason_class text NOT NULL,
    state text NOT NULL CONSTRAINT risk_case_state CHECK (state IN ('open', 'investigating', 'waiting', 'decided', 'closed')),
    outcome text CONSTRAINT risk_case_outcome CHECK (outcome IN ('clear', 'restrict', 'freeze', 'report')),
    opened_by text NOT NULL,
    opened_at timestamptz NOT NULL,
    assignee text NOT NULL DEFAULT '',
    due_at timestamptz NOT NULL,
    reminded_at timestamptz,
    overdue_at timestamptz,
    decided_by text,
    decided_at timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT risk_case_store FOREIGN KEY (merchant_id, store_id) REFERENCES merchants_store (merchant_id, id),
    CONSTRAINT risk_case_decided CHECK ((outcome IS NULL) = (decided_by IS NULL) AND (decided_by IS NULL) = (decided_at IS NULL)
                                        AND (outcome IS NOT NULL OR state NOT IN ('decided', 'closed'))),
    -- Whoever asked for what is held does not decide about it, as a natural person.
    CONSTRAINT risk_case_other_person CHECK (decided_by IS NULL OR person = '' OR decided_by <> person),
    CONSTRAINT risk_case_says_why CHECK (outcome IS NULL OR length(note) BETWEEN 4 AND 2000),
    CONSTRAINT risk_case_measure_needs_store CHECK (outcome NOT IN ('restrict', 'freeze') OR store_id IS NOT NULL)
);
CREATE UNIQUE INDEX risk_case_one_open ON risk_case (merchant_id, subject) WHERE state IN ('open', 'investigating', 'waiting');
CREATE INDEX risk_case_due ON risk_case (due_at) WHERE state IN ('open', 'investigating', 'waiting');
CREATE INDEX risk_case_restricting ON risk_case (merchant_id, store_id) WHERE outcome = 'restrict';

-- What was found in a case, entry by entry; written once.
CREATE TABLE risk_evidence (
    merchant_id bigint NOT NULL,
    case_id bigint NOT NULL,
    no integer NOT NULL,
    kind text NOT NULL CONSTRAINT risk_evidence_kind CHECK (kind IN ('note', 'document', 'statement', 'message')),
    text text NOT NULL CONSTRAINT risk_evidence_text CHECK (length(text) BETWEEN 4 AND 4000),
    person text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, case_id, no),
    CONSTRAINT risk_evidence_case FOREIGN KEY (merchant_id, case_id) REFERENCES risk_case (merchant_id, id)
);

-- Something to look at. While an alert waits for somebody, the same again is counted on it.
CREATE TABLE risk_alert (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    rule text NOT NULL,
    version integer NOT NULL,
    concerns text NOT NULL,
    store_id bigint,
    reason_class text NOT NULL,
    decision_id uuid NOT NULL,
    case_id bigint,
    state text NOT NULL CONSTRAINT risk_alert_state CHECK (state IN ('open', 'acknowledged', 'dismissed', 'escalated')),
    times integer NOT NULL DEFAULT 1,
    raised_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    handled_by text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT risk_alert_decision FOREIGN KEY (merchant_id, decision_id) REFERENCES risk_decision (merchant_id, id),
    CONSTRAINT risk_alert_case FOREIGN KEY (merchant_id, case_id) REFERENCES risk_case (merchant_id, id),
    CONSTRAINT risk_alert_dismissed_says_why CHECK (state <> 'dismissed' OR length(note) BETWEEN 4 AND 500),
    CONSTRAINT risk_alert_escalated_has_case CHECK (state <> 'escalated' OR case_id IS NOT NULL)
);
CREATE UNIQUE INDEX risk_alert_one_waiting ON risk_alert (merchant_id, rule, concerns) WHERE state IN ('open', 'acknowledged');

-- A subject that goes nowhere until its case is decided (K3). A subject is held once.
CREATE TABLE risk_hold (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    subject text NOT NULL,
    store_id bigint NOT NULL,
    case_id bigint NOT NULL,
    decision_id uuid NOT NULL,
    reason_class text NOT NULL,
    state text NOT NULL CONSTRAINT risk_hold_state CHECK (state IN ('held', 'released', 'confirmed')),
    placed_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT risk_hold_once UNIQUE (merchant_id, subject),
    CONSTRAINT risk_hold_case FOREIGN KEY (merchant_id, case_id) REFERENCES risk_case (merchant_id, id),
    CONSTRAINT risk_hold_decision FOREIGN KEY (merchant_id, decision_id) REFERENCES risk_decision (merchant_id, id),
    CONSTRAINT risk_hold_ended CHECK ((ended_at IS NULL) = (state = 'held'))
);
CREATE INDEX risk_hold_of_case ON risk_hold (merchant_id, case_id);

-- Points of a merchant's internal score (K5, K6), and their sum. What an appeal undoes is countered, never changed.
CREATE TABLE risk_score_event (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    rule text NOT NULL,
    reason_class text NOT NULL,
    points integer NOT NULL CONSTRAINT risk_score_points CHECK (points <> 0),
    month date,
    decision_id uuid,
    counters_id bigint,
    at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT risk_score_decision FOREIGN KEY (merchant_id, decision_id) REFERENCES risk_decision (merchant_id, id),
    CONSTRAINT risk_score_counters FOREIGN KEY (merchant_id, counters_id) REFERENCES risk_score_event (merchant_id, id),
    CONSTRAINT risk_score_countered_once UNIQUE (merchant_id, counters_id),
    CONSTRAINT risk_score_once_a_month UNIQUE (merchant_id, rule, month),
    CONSTRAINT risk_score_from CHECK ((counters_id IS NULL) = (month IS NOT NULL) AND (month IS NULL) = (decision_id IS NULL))
);
CREATE TABLE risk_score (
    merchant_id bigint PRIMARY KEY,
    points integer NOT NULL
);

-- A merchant's objection to a decided case or to lost points: `no` counts those of one subject in a month of Shanghai's
-- (K4). Whoever reviews it is neither who decided nor who objects.
CREATE TABLE risk_appeal (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    subject text NOT NULL,
    case_id bigint,
    score_event_id bigint,
    month date NOT NULL,
    no smallint NOT NULL,
    state text NOT NULL CONSTRAINT risk_appeal_state
        CHECK (state IN ('submitted', 'in_review', 'upheld', 'overturned', 'inadmissible')),
    grounds text NOT NULL CONSTRAINT risk_appeal_grounds CHECK (length(grounds) BETWEEN 4 AND 4000),
    submitted_by text NOT NULL,
    submitted_at timestamptz NOT NULL,
    decided_by text NOT NULL DEFAULT '',
    reviewer text,
    reviewed_at timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT risk_appeal_about CHECK ((case_id IS NULL) <> (score_event_id IS NULL)),
    CONSTRAINT risk_appeal_case FOREIGN KEY (merchant_id, case_id) REFERENCES risk_case (merchant_id, id),
    CONSTRAINT risk_appeal_score FOREIGN KEY (merchant_id, score_event_id) REFERENCES risk_score_event (merchant_id, id),
    CONSTRAINT risk_appeal_other_person CHECK (reviewer NOT IN (decided_by, submitted_by)),
    CONSTRAINT risk_appeal_reviewed CHECK ((reviewed_at IS NOT NULL) = (state IN ('upheld', 'overturned', 'inadmissible'))
                                           AND (reviewer IS NOT NULL OR state = 'submitted'))
);
CREATE UNIQUE INDEX risk_appeal_one_a_month ON risk_appeal (merchant_id, subject, month, no);

-- All that is known of a case, put together for the licensed reporter (K7): written once, released by a second person,
-- and sent by nobody here.
CREATE TABLE risk_package (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    case_id bigint NOT NULL,
    state text NOT NULL CONSTRAINT risk_package_state CHECK (state IN ('in_review', 'released', 'rejected')),
    document text NOT NULL CONSTRAINT risk_package_document CHECK (document::json IS NOT NULL),
    digest bytea NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    reviewed_by text,
    reviewed_at timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT risk_package_case FOREIGN KEY (merchant_id, case_id) REFERENCES risk_case (merchant_id, id),
    CONSTRAINT risk_package_second_person CHECK (reviewed_by <> made_by),
    CONSTRAINT risk_package_reviewed CHECK ((reviewed_by IS NULL) = (state = 'in_review'))
);

-- As kernel_refuse_move_v1, for rows that belong to no merchant.
CREATE FUNCTION risk_refuse_move_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM rows_before b JOIN rows_after a USING (rule, version)
        WHERE a.state <> b.state
          AND NOT EXISTS (SELECT FROM kernel_move m
                          WHERE m.machine = TG_ARGV[0] AND m.source = b.state AND m.target = a.state)
    ) THEN
        RAISE 'a % may not take this step', TG_ARGV[0] USING ERRCODE = 'HF001';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER risk_rule_moves AFTER UPDATE ON risk_rule
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION risk_refuse_move_v1('risk_rule');
CREATE TRIGGER risk_alert_moves AFTER UPDATE ON risk_alert
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('alert');
CREATE TRIGGER risk_case_moves AFTER UPDATE ON risk_case
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('case');
CREATE TRIGGER risk_hold_moves AFTER UPDATE ON risk_hold
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('hold');
CREATE TRIGGER risk_appeal_moves AFTER UPDATE ON risk_appeal
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('appeal');
CREATE TRIGGER risk_package_moves AFTER UPDATE ON risk_package
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('package');
CREATE TRIGGER risk_decision_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON risk_decision
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER risk_observation_written_once BEFORE DELETE OR TRUNCATE ON risk_observation
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
-- Of an observation its address alone is forgotten, after a while, and by nothing but its absence.
CREATE FUNCTION risk_observation_forgets_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (to_jsonb(NEW) - 'ip') <> (to_jsonb(OLD) - 'ip') OR NEW.ip <> '' THEN
        RAISE 'rows of % are written once', TG_TABLE_NAME USING ERRCODE = 'HF002';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER risk_observation_forgets BEFORE UPDATE ON risk_observation
    FOR EACH ROW EXECUTE FUNCTION risk_observation_forgets_v1();
CREATE INDEX risk_observation_addresses ON risk_observation (merchant_id, at) WHERE ip <> '';
GRANT UPDATE (ip) ON risk_observation TO houfu_worker;
CREATE TRIGGER risk_evidence_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON risk_evidence
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER risk_score_event_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON risk_score_event
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER risk_backtest_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON risk_backtest
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

GRANT INSERT, UPDATE (state, backtest_id, promoted_by, promoted_at) ON risk_rule TO houfu_app;
-- A back-test tells of all merchants, and so to the platform alone.
ALTER TABLE risk_backtest ENABLE ROW LEVEL SECURITY;
CREATE POLICY platform_v1 ON risk_backtest TO houfu_app USING ((SELECT kernel_merchant_v1()) <= 0);
CREATE POLICY auditor_v1 ON risk_backtest FOR SELECT TO houfu_verify USING (true);
GRANT INSERT ON risk_backtest, risk_decision, risk_observation, risk_evidence, risk_score_event TO houfu_app;
GRANT INSERT, UPDATE (alerting, since) ON risk_usage TO houfu_app;
GRANT INSERT, UPDATE (seq, day, month) ON risk_look TO houfu_app;
GRANT INSERT, UPDATE (state, outcome, assignee, due_at, reminded_at, overdue_at, decided_by, decided_at, note) ON risk_case
    TO houfu_app;
GRANT INSERT, UPDATE (state, case_id, times, last_at, handled_by, note) ON risk_alert TO houfu_app;
GRANT INSERT, UPDATE (state, ended_at) ON risk_hold TO houfu_app;
GRANT INSERT, UPDATE (points) ON risk_score TO houfu_app;
GRANT INSERT, UPDATE (state, reviewer, reviewed_at, note) ON risk_appeal TO houfu_app;
GRANT INSERT, UPDATE (state, reviewed_by, reviewed_at, note) ON risk_package TO houfu_app;
