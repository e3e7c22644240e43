-- policies: every number the product decides by, in packs that hold from an instant on. A pack is written once.

CREATE TABLE policies_pack (
    version text PRIMARY KEY,
    effective_from timestamptz NOT NULL CONSTRAINT policies_pack_one_per_instant UNIQUE,
    title text NOT NULL,
    source text NOT NULL CONSTRAINT policies_pack_names_source CHECK (length(source) >= 10),
    document text NOT NULL,
    digest bytea NOT NULL,
    loaded_at timestamptz NOT NULL
);
CREATE TRIGGER policies_pack_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON policies_pack
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
GRANT INSERT ON policies_pack TO houfu_app;
