-- Merchants kept apart, from the catalogue: run at the end of every migration, so that no new table is forgotten.
-- Every table with a merchant_id is under row-level security, its owner too; one without is the platform's to write, but
-- for those listed in houfu.shared_tables. Functions that run with more rights than their caller belong to houfu_engine,
-- which owns no table and is bound by the same policies.
-- Refuses with HF005: a function with more rights than its caller that is not on the list (houfu.engine_functions), has
-- no fixed search_path or does not begin with kernel_enter_v1; a materialised view, which no policy reaches.
DO $$
DECLARE
    listed CONSTANT text[] := string_to_array(current_setting('houfu.engine_functions'), ',');
    thing record;
    wrong text;
BEGIN
    SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.proname) INTO wrong
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
      AND (p.proname <> ALL (listed)
           OR p.proname <> 'kernel_merchant_v1' AND p.prosrc !~ '^[^;]*(;[^;]*)*\mBEGIN\s+PERFORM kernel_enter_v1\(\);'
           OR NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c ~ '^search_path=(public|pg_catalog), pg_temp$'));
    IF wrong IS NOT NULL THEN
        RAISE '% may not run with more rights than their caller', wrong USING ERRCODE = 'HF005';
    END IF;
    SELECT string_agg(c.oid::regclass::text, ', ' ORDER BY c.relname) INTO wrong
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'm';
    IF wrong IS NOT NULL THEN
        RAISE '% would show every merchant to everybody', wrong USING ERRCODE = 'HF005';
    END IF;

    FOR thing IN
        SELECT c.oid::regclass AS name, c.relrowsecurity, c.relforcerowsecurity,
               ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid) AS policies
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'merchant_id' AND NOT a.attisdropped
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    LOOP
        IF NOT thing.relrowsecurity THEN EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', thing.name); END IF;
        IF NOT thing.relforcerowsecurity THEN EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', thing.name); END IF;
        IF 'merchant_v1' <> ALL (thing.policies) THEN
            -- One answer a statement; a CASE, because it is closed to NULL and leaves the planner's estimates alone.
            EXECUTE format($policy$CREATE POLICY merchant_v1 ON %s TO houfu_app
                USING (CASE (SELECT kernel_merchant_v1()) WHEN merchant_id THEN true WHEN -1 THEN true ELSE false END)
                WITH CHECK (CASE (SELECT kernel_merchant_v1()) WHEN merchant_id THEN true WHEN -1 THEN true ELSE false END)
                $policy$, thing.name);
        END IF;
        IF 'engine_v1' <> ALL (thing.policies) THEN
            EXECUTE format($policy$CREATE POLICY engine_v1 ON %s TO houfu_engine
                USING (CASE (SELECT nullif(current_setting('houfu.entered', true), '')::bigint)
                       WHEN merchant_id THEN true WHEN -1 THEN true ELSE false END)
                WITH CHECK (CASE (SELECT nullif(current_setting('houfu.entered', true), '')::bigint)
                            WHEN merchant_id THEN true WHEN -1 THEN true ELSE false END)
                $policy$, thing.name);
        END IF;
        IF 'auditor_v1' <> ALL (thing.policies) THEN
            EXECUTE format('CREATE POLICY auditor_v1 ON %s FOR SELECT TO houfu_verify USING (true)', thing.name);
        END IF;
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO houfu_engine', thing.name);
    END LOOP;

    -- What knows no merchant says the same to everybody, and is the platform's to write.
    FOR thing IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
          AND c.relname <> ALL (string_to_array(current_setting('houfu.shared_tables'), ','))
          AND (has_any_column_privilege('houfu_app', c.oid, 'INSERT, UPDATE') OR has_table_privilege('houfu_app', c.oid, 'DELETE'))
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', thing.name);
        EXECUTE format('CREATE POLICY everybody_v1 ON %s FOR SELECT USING (true)', thing.name);
        EXECUTE format('CREATE POLICY platform_v1 ON %s TO houfu_app USING ((SELECT kernel_merchant_v1()) <= 0)', thing.name);
    END LOOP;

    FOR thing IN
        SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v'
          AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
    LOOP
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', thing.name);
    END LOOP;

    GRANT USAGE, CREATE ON SCHEMA public TO houfu_engine;
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO houfu_engine;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO houfu_engine;
    FOR thing IN
        SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND p.proowner <> 'houfu_engine'::regrole
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO houfu_engine', thing.name);
    END LOOP;
    REVOKE CREATE ON SCHEMA public FROM houfu_engine;
    -- A table of one's own in the session could stand in the way of a real one.
    IF EXISTS (SELECT FROM pg_database WHERE datname = current_database() AND pg_has_role(datdba, 'USAGE')) THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    END IF;
END $$;
