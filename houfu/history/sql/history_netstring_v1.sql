-- history_netstring_v1: a field as its length in bytes, a colon and itself, so that no two lists of fields read alike.
-- STABLE as convert_to is: declared IMMUTABLE it would be called for each field instead of being inlined.
CREATE FUNCTION history_netstring_v1(_field text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN octet_length(convert_to(coalesce(_field, ''), 'UTF8')) || ':' || coalesce(_field, '');
GRANT EXECUTE ON FUNCTION history_netstring_v1 TO houfu_app, houfu_verify;
