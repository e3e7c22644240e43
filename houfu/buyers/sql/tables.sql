-- buyers: what a buyer may owe over all stores, from their credit score (O5). Keyed by buyer, who is no merchant's: a
-- digest that only a holder of the vault's key can make. Nothing of it is granted to houfu_app: merchants get to see a
-- decision, never a line, a score or what is missing. On several nodes these tables are spread by buyer.

-- One line per buyer. Who granted it is a store, or the platform where none is named.
-- `over_fen` is what was held beyond a limit when it was lowered: a new score takes nothing away that is held.
CREATE TABLE buyers_line (
    buyer bytea PRIMARY KEY CONSTRAINT buyers_line_buyer CHECK (octet_length(buyer) = 32),
    score integer NOT NULL,
    scored_at timestamptz NOT NULL,
    limit_fen bigint NOT NULL CONSTRAINT buyers_line_limit_positive CHECK (limit_fen >= 0),
    held_fen bigint NOT NULL DEFAULT 0 CONSTRAINT buyers_line_held CHECK (held_fen >= 0),
    over_fen bigint NOT NULL DEFAULT 0 CONSTRAINT buyers_line_over CHECK (over_fen >= 0),
    by_merchant bigint,
    by_store bigint,
    -- However many stores draw on it at once (I-03).
    CONSTRAINT buyers_line_limit CHECK (held_fen <= limit_fen + over_fen),
    CONSTRAINT buyers_line_granted_by CHECK ((by_merchant IS NULL) = (by_store IS NULL))
) WITH (fillfactor = 80);

-- What an order holds of its buyer's line. `known` is whether the order has been decided; where both are written at
-- once, it is. What stays unknown is let go of by a sweep (I-23). Its line is locked when it is written, and never deleted:
-- a foreign key would look again for every order. `houfu verify` does.
CREATE TABLE buyers_hold (
    buyer bytea NOT NULL,
    of_merchant bigint NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT buyers_hold_amount CHECK (amount_fen > 0),
    open_fen bigint NOT NULL,
    known boolean NOT NULL,
    held_at timestamptz NOT NULL,
    CONSTRAINT buyers_hold_once PRIMARY KEY (buyer, of_merchant, order_id),
    CONSTRAINT buyers_hold_open CHECK (open_fen BETWEEN 0 AND amount_fen)
) WITH (fillfactor = 80);
CREATE INDEX buyers_hold_of_order ON buyers_hold (of_merchant, order_id);
CREATE INDEX buyers_hold_unknown ON buyers_hold (held_at) WHERE NOT known;

-- Every score that was heard of, with its instant, who said so, and the line that the policy of that instant gives.
CREATE TABLE buyers_score (
    buyer bytea NOT NULL,
    scored_at timestamptz NOT NULL,
    score integer NOT NULL CONSTRAINT buyers_score_range CHECK (score BETWEEN 0 AND 1000000),
    source text NOT NULL CONSTRAINT buyers_score_source CHECK (source IN ('platform', 'channel')),
    ref text NOT NULL CONSTRAINT buyers_score_ref CHECK (length(ref) <= 100),
    limit_fen bigint NOT NULL,
    by_merchant bigint,
    by_store bigint,
    policy text NOT NULL,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT buyers_score_once PRIMARY KEY (buyer, scored_at)
);
CREATE TRIGGER buyers_score_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON buyers_score
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

REVOKE ALL ON buyers_line, buyers_hold, buyers_score FROM houfu_app;
GRANT INSERT, UPDATE ON buyers_line TO houfu_engine;
GRANT INSERT, UPDATE (open_fen, known) ON buyers_hold TO houfu_engine;
GRANT INSERT ON buyers_score TO houfu_engine;
