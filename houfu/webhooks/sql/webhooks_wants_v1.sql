-- webhooks_wants_v1: whether an endpoint is told of a link: its verbs name the link's, or the link is its own test.
CREATE FUNCTION webhooks_wants_v1(_verbs text[], _endpoint bigint, _verb text, _subject text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN _verb = ANY (_verbs) OR '*' = ANY (_verbs) OR split_part(_verb, '.', 1) || '.*' = ANY (_verbs)
        OR (_verb = 'endpoint.tested' AND _subject = 'endpoint/' || _endpoint);
GRANT EXECUTE ON FUNCTION webhooks_wants_v1 TO houfu_app;
