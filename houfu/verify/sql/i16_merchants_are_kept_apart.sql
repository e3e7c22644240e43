-- I-16: nothing lets a role of the product touch a row of a merchant that its transaction does not name.
WITH relation AS (
    SELECT c.oid, c.relname::text AS name, c.relkind, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.reloptions,
           (SELECT a.attnum FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'merchant_id' AND NOT a.attisdropped) AS merchant
    FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
), kept AS (
    SELECT * FROM relation WHERE merchant IS NOT NULL AND relkind IN ('r', 'p')
), runtime AS (
    SELECT oid, rolname::text AS name, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin
    FROM pg_roles WHERE rolname IN ('houfu_app', 'houfu_engine', 'houfu_verify', 'houfu_worker')
), policy AS (
    SELECT p.polrelid, p.polname::text AS name, p.polpermissive, p.polcmd,
           ARRAY(SELECT r.rolname::text FROM unnest(p.polroles) o LEFT JOIN pg_roles r ON r.oid = o) AS roles,
           regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s+', ' ', 'g') AS reads,
           regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\s+', ' ', 'g') AS writes
    FROM pg_policy p
), sound AS (
    SELECT * FROM policy
    WHERE polpermissive AND CASE name
        WHEN 'merchant_v1' THEN polcmd = '*' AND roles = '{houfu_app}' AND reads = writes
            AND reads ~ '^ ?CASE \( SELECT kernel_merchant_v1\(\)[^)]*\) WHEN merchant_id THEN true WHEN [^ ]*-1[^ ]* THEN true ELSE false END$'
        WHEN 'engine_v1' THEN polcmd = '*' AND roles = '{houfu_engine}' AND reads = writes
            AND reads ~ '^ ?CASE \( SELECT \(NULLIF\(current_setting\(.houfu.entered.::text, true\), ..::text\)\)::bigint[^)]*\) WHEN merchant_id THEN true WHEN [^ ]*-1[^ ]* THEN true ELSE false END$'
        WHEN 'login_v1' THEN polcmd = '*' AND roles = '{houfu_app}' AND reads = writes
            AND reads ~ '^ ?CASE \( SELECT kernel_merchant_v1\(\)[^)]*\) WHEN [^ ]*-1[^ ]* THEN true ELSE \(EXISTS \( SELECT FROM (people_login l WHERE \(l.user_id = \w+.(user_)?id\)|usersessions_usersession u WHERE \(\(u.session_key\)::text = \(django_session.session_key\)::text\))\)\) END$'
        WHEN 'platform_v1' THEN polcmd = '*' AND roles = '{houfu_app}' AND writes IS NULL
            AND reads ~ '^\(\( SELECT kernel_merchant_v1\(\)[^)]*\) <= 0\)$'
        WHEN 'kernel_v1' THEN polrelid = 'people_access_grant'::regclass AND polcmd = 'r' AND roles = '{houfu_engine}'
            AND reads = 'true' AND writes IS NULL
        WHEN 'everybody_v1' THEN polcmd = 'r' AND reads = 'true' AND writes IS NULL
        WHEN 'auditor_v1' THEN polcmd = 'r' AND roles = '{houfu_verify}' AND reads = 'true' AND writes IS NULL
        ELSE false END
)
SELECT name AS thing, 'its rows are under no policy' AS what FROM kept WHERE NOT relrowsecurity
UNION ALL
SELECT name, 'its owner is bound by no policy' FROM kept WHERE NOT relforcerowsecurity
UNION ALL
SELECT name, 'a policy is missing, altered or one too many' FROM kept k
WHERE (SELECT array_agg(s.name ORDER BY s.name) FROM sound s WHERE s.polrelid = k.oid)
          IS DISTINCT FROM CASE k.name WHEN 'people_access_grant' THEN '{auditor_v1,engine_v1,kernel_v1,merchant_v1}'::text[]
                           ELSE '{auditor_v1,engine_v1,merchant_v1}' END
   OR (SELECT count(*) FROM policy p WHERE p.polrelid = k.oid) <> (SELECT count(*) FROM sound s WHERE s.polrelid = k.oid)
UNION ALL
SELECT r.name, 'a policy is altered or not known' FROM relation r JOIN policy p ON p.polrelid = r.oid
WHERE r.merchant IS NULL
  AND NOT EXISTS (SELECT FROM sound s WHERE (s.polrelid, s.name) = (p.polrelid, p.name) AND s.name NOT IN ('merchant_v1', 'engine_v1'))
UNION ALL
SELECT r.name, 'every merchant may write what is everybody''s' FROM relation r
WHERE r.merchant IS NULL AND r.relkind IN ('r', 'p') AND NOT r.relrowsecurity
  AND r.name NOT IN ('payouts_waiver', 'people_memory', 'people_person')
  AND (has_any_column_privilege('houfu_app', r.oid, 'INSERT, UPDATE') OR has_table_privilege('houfu_app', r.oid, 'DELETE'))
UNION ALL
SELECT name, 'logins are shown to every merchant' FROM relation r
WHERE name IN ('auth_user', 'account_emailaddress', 'django_session', 'mfa_authenticator', 'usersessions_usersession')
  AND NOT EXISTS (SELECT FROM sound s WHERE s.polrelid = r.oid AND s.name = 'login_v1' AND r.relrowsecurity AND r.relforcerowsecurity)
UNION ALL
SELECT i.indexrelid::regclass::text, 'a key does not begin with the merchant'
FROM kept k JOIN pg_index i ON i.indrelid = k.oid
    -- One unified social credit code belongs to one merchant of the platform, which only the platform's people can try; one
    -- passkey is one person's, and its id too random to try; a login's number says no more than that it was drawn.
WHERE (i.indisunique OR i.indisexclusion) AND i.indkey[0] <> k.merchant
  AND i.indexrelid::regclass::text NOT IN ('merchants_uscc_taken', 'people_passkey_taken', 'people_login_pkey')
UNION ALL
SELECT name, 'it has no primary key' FROM kept k
WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.oid AND i.indisprimary)
UNION ALL
SELECT f.conname::text, 'a reference leads out of the merchant'
FROM pg_constraint f JOIN kept k ON k.oid = f.conrelid JOIN kept t ON t.oid = f.confrelid
WHERE f.contype = 'f' AND (f.conkey[1] <> k.merchant OR f.confkey[1] <> t.merchant)
UNION ALL
SELECT name, 'a view reads with its owner''s rights' FROM relation
WHERE relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)
UNION ALL
SELECT name, 'a materialised view is under no policy' FROM relation WHERE relkind = 'm'
UNION ALL
SELECT p.oid::regprocedure::text, 'it runs with rights that nothing bounds'
FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
  AND (p.proowner <> (SELECT oid FROM runtime WHERE name = 'houfu_engine')
       OR NOT EXISTS (SELECT FROM unnest(p.proconfig) c WHERE c ~ '^search_path=(public|pg_catalog), pg_temp$')
       OR p.proname <> 'kernel_merchant_v1' AND p.prosrc !~ '\mBEGIN\s+PERFORM kernel_enter_v1\(\);')
UNION ALL
SELECT name, 'the role may do more than it should' FROM runtime r
WHERE rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin
   OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid
                                                  AND NOT (r.name = 'houfu_worker' AND m.roleid::regrole = 'houfu_app'::regrole))
   OR EXISTS (SELECT FROM relation t WHERE t.relowner = r.oid)
   OR has_schema_privilege(r.oid, 'public', 'CREATE') OR has_database_privilege(r.oid, current_database(), 'CREATE, TEMPORARY')
UNION ALL
SELECT t.name, r.name || ' may do what no policy sees'
FROM relation t CROSS JOIN runtime r WHERE has_table_privilege(r.oid, t.oid, 'TRUNCATE, REFERENCES, TRIGGER')
UNION ALL
SELECT t.name, r.name || ' may write' FROM relation t CROSS JOIN runtime r
WHERE r.name = 'houfu_verify' AND has_table_privilege(r.oid, t.oid, 'INSERT, UPDATE, DELETE')
UNION ALL
SELECT t.name, r.name || ' may read the key' FROM relation t CROSS JOIN runtime r
WHERE t.name = 'kernel_context_key' AND (r.name <> 'houfu_engine' AND has_any_column_privilege(r.oid, t.oid, 'SELECT')
                                         OR has_any_column_privilege(r.oid, t.oid, 'INSERT, UPDATE'))
UNION ALL
SELECT t.name, 'strangers'' processes may pay out' FROM relation t
WHERE t.name IN ('payouts_attempt', 'payouts_run') AND has_any_column_privilege('houfu_app', t.oid, 'INSERT')
UNION ALL
SELECT f.name, 'anybody may call it' FROM (VALUES ('kernel_enter_v1()')) f (name)
WHERE has_function_privilege('houfu_app', f.name, 'EXECUTE')
