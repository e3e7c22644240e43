-- merchants_uscc_valid_v1: whether a unified social credit code is well formed and its check character is right.
-- Source: GB 32100-2015; weights are the powers of 3 modulo 31, characters leave out I, O, S, V and Z.
CREATE FUNCTION merchants_uscc_valid_v1(_uscc text) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN _uscc ~ '^[0-9A-HJ-NP-RTUW-Y]{18}$' AND (
        SELECT (31 - sum(weight * (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(_uscc, place::integer, 1)) - 1)) % 31) % 31
               = strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(_uscc, 18, 1)) - 1
        FROM unnest(ARRAY[1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28])
             WITH ORDINALITY AS w (weight, place)
    );
GRANT EXECUTE ON FUNCTION merchants_uscc_valid_v1 TO houfu_app, houfu_verify;
