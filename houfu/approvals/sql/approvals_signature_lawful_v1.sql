-- approvals_signature_lawful_v1: let in only the signature whose turn it is, of a person who counts once and has no hand
-- in what is asked for (S7, I-14). Holds the request's row, so that of several signatures each sees those before it.
-- Refuses with: approvals_request_open (nothing is left to sign), approvals_in_order (another step's turn),
--               approvals_not_own (requester or editor, or their delegate), approvals_person_once.
CREATE FUNCTION approvals_signature_lawful_v1() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    request record;
    broken text;
BEGIN
    SELECT * INTO request FROM approvals_request
    WHERE merchant_id = NEW.merchant_id AND id = NEW.request_id FOR NO KEY UPDATE;
    broken := CASE
        WHEN request.state IS DISTINCT FROM 'open' OR NEW.signed_at >= request.expires_at THEN 'approvals_request_open'
        WHEN NEW.step <> request.turn OR NEW.role <> request.chain[request.turn + 1] THEN 'approvals_in_order'
        WHEN NEW.stands_for && (request.editors || request.person) THEN 'approvals_not_own'
        WHEN EXISTS (SELECT FROM approvals_signature s
                     WHERE s.merchant_id = NEW.merchant_id AND s.request_id = NEW.request_id
                       AND s.struck_at IS NULL AND s.stands_for && NEW.stands_for) THEN 'approvals_person_once'
    END;
    IF broken IS NOT NULL THEN
        RAISE 'this signature is not lawful' USING ERRCODE = 'check_violation', CONSTRAINT = broken;
    END IF;
    RETURN NEW;
END $$;
