-- The key of the word by which a transaction names its merchant, laid out for HMAC-SHA256. The processes hold it in
-- the data folder; here only houfu_engine reads it. `houfu db migrate` puts it here.
CREATE TABLE kernel_context_key (
    only_one boolean PRIMARY KEY DEFAULT true CONSTRAINT kernel_one_context_key CHECK (only_one),
    inner_pad bytea NOT NULL,
    outer_pad bytea NOT NULL
);
REVOKE ALL ON kernel_context_key FROM houfu_app, houfu_verify;

-- kernel_merchant_v1: the merchant whose rows this transaction may touch; 0 for what is the platform's own alone; -1 for
-- all of them, as the product's jobs may. A merchant written as 7@12 is named under the access grant 12, by which it lets
-- somebody of the platform look for a while: that must hold now. The word is houfu.ctx = merchant|principal|expiry|HMAC; the HMAC is over the first three and the
-- process id of the session, so that a word overheard opens nothing elsewhere. It must have been in date when the
-- transaction began. Every policy asks this once a statement.
-- Refuses with: HF003 (there is no word, or it is not ours), HF004 (it came too late), HF006 (the grant holds no more).
CREATE FUNCTION kernel_merchant_v1() RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text[] := string_to_array(current_setting('houfu.ctx', true), '|');
    mac bytea;
BEGIN
    SELECT sha256(k.outer_pad || sha256(k.inner_pad || convert_to(
               concat_ws('|', part[1], part[2], part[3], pg_backend_pid()), 'UTF8')))
    INTO mac FROM public.kernel_context_key k;
    IF cardinality(part) IS DISTINCT FROM 4 OR mac IS NULL OR encode(mac, 'hex') IS DISTINCT FROM part[4] THEN
        RAISE 'nobody is in force' USING ERRCODE = 'HF003';
    END IF;
    IF part[3]::bigint < extract(epoch FROM now()) THEN
        RAISE 'whoever was in force came too late' USING ERRCODE = 'HF004';
    END IF;
    IF strpos(part[1], '@') > 0 THEN
        IF NOT EXISTS (SELECT FROM public.people_access_grant g
                       WHERE g.merchant_id = split_part(part[1], '@', 1)::bigint
                         AND g.id = split_part(part[1], '@', 2)::bigint
                         AND g.state = 'given' AND g.expires_at > clock_timestamp()) THEN
            RAISE 'the access grant holds no more' USING ERRCODE = 'HF006';
        END IF;
        RETURN split_part(part[1], '@', 1)::bigint;
    END IF;
    RETURN CASE part[1] WHEN '*' THEN -1 ELSE part[1]::bigint END;
END $$;
GRANT EXECUTE ON FUNCTION kernel_merchant_v1 TO houfu_app;

-- kernel_enter_v1: the first line of every function that runs as houfu_engine. What the word says is noted where the
-- policies of that role look, so that it is not proved again for each of the function's many statements. Whatever the
-- caller has put there is overwritten; nothing of the caller's runs between this and the function's end.
CREATE FUNCTION kernel_enter_v1() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('houfu.entered', kernel_merchant_v1()::text, true);
END $$;
