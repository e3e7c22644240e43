-- webhooks_wants_v1: whether an endpoint is told of a link: its verbs name the link's, or the link is its own test. One
-- with `_stores` is told of these stores alone; NULL is of all.
-- What only those who deal with risk may read is told to nobody (history.queries.CONFIDENTIAL).
CREATE FUNCTION webhooks_wants_v1(_verbs text[], _stores bigint[], _endpoint bigint, _verb text, _subject text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN split_part(_verb, '.', 1) <> ALL ('{alert,case,package,rule}')
        AND ((_verb = ANY (_verbs) OR '*' = ANY (_verbs) OR split_part(_verb, '.', 1) || '.*' = ANY (_verbs))
             AND (_stores IS NULL OR _subject LIKE 'store/%' AND split_part(_subject, '/', 2) = ANY (_stores::text[]))
             OR (_verb = 'endpoint.tested' AND _subject = 'endpoint/' || _endpoint));
GRANT EXECUTE ON FUNCTION webhooks_wants_v1 TO houfu_app;
