-- access_grant: a merchant lets one of the platform's people in for a while (4.6). It lies with the merchant, who sees who
-- asked, for what and until when; kernel_merchant_v1 looks at it at every statement, so one that was revoked opens nothing
-- from the next one on. What is compared with the database's clock is written by the machine's: access is no business time.
CREATE TABLE people_access_grant (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    staff_id bigint NOT NULL,
    asked_by text NOT NULL CONSTRAINT people_access_asked_by CHECK (length(asked_by) BETWEEN 1 AND 100),
    person text NOT NULL,
    reason text NOT NULL CONSTRAINT people_access_reason CHECK (length(reason) BETWEEN 1 AND 500),
    scopes text[] NOT NULL CONSTRAINT people_access_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ '{history:read,ledger:read,limits:read,limits:write,merchants:read,
            merchants:write,orders:read,payouts:read,people:read,policies:read,risk:read}'),
    hours smallint NOT NULL CONSTRAINT people_access_hours CHECK (hours BETWEEN 1 AND 72),
    state text NOT NULL CONSTRAINT people_access_state CHECK (state IN ('asked', 'given', 'refused', 'revoked')),
    asked_at timestamptz NOT NULL,
    given_by text,
    expires_at timestamptz,
    ended_by text,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT people_access_of_a_merchant CHECK (merchant_id > 0),
    CONSTRAINT people_access_given CHECK ((state <> 'given' OR given_by IS NOT NULL) AND (given_by IS NULL) = (expires_at IS NULL)),
    -- The law and not the policy: who asks for longer than three days is not looking into a case.
    CONSTRAINT people_access_second_person CHECK (given_by <> person)
);
CREATE UNIQUE INDEX people_access_one_open ON people_access_grant (merchant_id, staff_id) WHERE state = 'asked';
CREATE TRIGGER people_access_moves AFTER UPDATE ON people_access_grant
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('access');
CREATE TRIGGER people_access_stays BEFORE DELETE OR TRUNCATE ON people_access_grant
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
GRANT INSERT, UPDATE (state, given_by, expires_at, ended_by) ON people_access_grant TO houfu_app;
-- kernel_merchant_v1 runs as houfu_engine, and asks before it is known whose rows may be seen.
CREATE POLICY kernel_v1 ON people_access_grant FOR SELECT TO houfu_engine USING (true);
