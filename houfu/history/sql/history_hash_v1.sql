-- history_hash_v1: the hash of a link, over the hash before it and all that it says, whose chain it is included.
CREATE FUNCTION history_hash_v1(
    _before bytea, _merchant bigint, _seq bigint, _at timestamptz, _actor text, _verb text, _subject text,
    _detail text, _rows_digest bytea
) RETURNS bytea LANGUAGE sql STABLE
    RETURN sha256(_before || convert_to(
        history_netstring_v1(_merchant::text) || history_netstring_v1(_seq::text)
        || history_netstring_v1(to_char(_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
        || history_netstring_v1(_actor) || history_netstring_v1(_verb) || history_netstring_v1(_subject)
        || history_netstring_v1(_detail) || history_netstring_v1(encode(_rows_digest, 'hex')), 'UTF8'));
GRANT EXECUTE ON FUNCTION history_hash_v1 TO houfu_app, houfu_verify;
