-- orders: the life of an order, the evidence of its receipt, and the lot of money that it becomes.

-- One row per order that was decided, declined ones included: the same id asked again gets the same answer.
-- The decision (batch, no, legs, reasons) is written once; what is open of each leg, the state and refunds move on.
-- That its store exists is decided with it, and stores are never deleted: a foreign key would lock the store's row for
-- every order and cost more than writing it. `houfu verify` looks again.
CREATE TABLE orders_order (
    merchant_id bigint NOT NULL,
    id text COLLATE "C" NOT NULL
        CONSTRAINT orders_order_id_form CHECK (id !~ '[^A-Za-z0-9._:-]' AND length(id) BETWEEN 1 AND 64),
    store_id bigint NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT orders_order_amount CHECK (amount_fen BETWEEN 1 AND 10000000000000),
    buyer text COLLATE "C"
        CONSTRAINT orders_order_buyer_form CHECK (buyer !~ '[^A-Za-z0-9._:-]' AND length(buyer) BETWEEN 1 AND 64),
    authorised_at timestamptz NOT NULL,
    batch uuid NOT NULL,
    no integer NOT NULL,
    own_fen bigint NOT NULL,
    pool_fen bigint NOT NULL,
    temp_fen bigint NOT NULL,
    tolerance_fen bigint NOT NULL,
    pool_id bigint,
    reasons text[],
    state text NOT NULL CONSTRAINT orders_order_state CHECK (state IN (
        'authorised', 'declined', 'shipped', 'received', 'overdue', 'settled', 'matured', 'closed', 'cancelled',
        'expired', 'refunded', 'disputed', 'written_off')),
    state_before_dispute text,
    open_own_fen bigint NOT NULL,
    open_pool_fen bigint NOT NULL,
    open_temp_fen bigint NOT NULL,
    open_tolerance_fen bigint NOT NULL,
    refunded_fen bigint NOT NULL DEFAULT 0,
    CONSTRAINT orders_order_once PRIMARY KEY (merchant_id, id),
    -- An accepted order stands on its sources in full; a declined one on none, and says why.
    CONSTRAINT orders_order_decided CHECK (
        own_fen + pool_fen + temp_fen + tolerance_fen = CASE WHEN reasons IS NULL THEN amount_fen ELSE 0 END),
    CONSTRAINT orders_order_declined_says_why CHECK ((state = 'declined') = (reasons IS NOT NULL)),
    CONSTRAINT orders_order_legs CHECK (
        least(own_fen, pool_fen, temp_fen, tolerance_fen,
              open_own_fen, open_pool_fen, open_temp_fen, open_tolerance_fen) >= 0),
    CONSTRAINT orders_order_pool_named CHECK (pool_fen = 0 OR pool_id IS NOT NULL),
    CONSTRAINT orders_order_refunded CHECK (refunded_fen BETWEEN 0 AND amount_fen),
    -- What ended holds nothing, and only what is disputed remembers where it was.
    CONSTRAINT orders_order_ended_holds_nothing CHECK (
        state IN ('authorised', 'shipped', 'received', 'overdue', 'disputed')
        OR open_own_fen + open_pool_fen + open_temp_fen + open_tolerance_fen = 0),
    CONSTRAINT orders_order_dispute_remembers CHECK ((state = 'disputed') = (state_before_dispute IS NOT NULL))
) WITH (fillfactor = 80);
-- Orders of one instant are few, or of one batch: the page that begins among them sorts them.
CREATE INDEX orders_order_listing ON orders_order (merchant_id, authorised_at);
-- States that few orders are in: a page of them does not walk through all the others. No order is authorised into it.
CREATE INDEX orders_order_rare ON orders_order (merchant_id, state, authorised_at)
    WHERE state IN ('declined', 'overdue', 'cancelled', 'expired', 'refunded', 'disputed', 'written_off');
CREATE INDEX orders_order_lent ON orders_order (merchant_id, store_id) WHERE open_temp_fen > 0;
CREATE INDEX orders_order_unshipped ON orders_order (authorised_at) WHERE state = 'authorised';

-- One row per step after the decision. `ref` tells several steps of one kind apart (refunds, disputes).
-- `fen` is the amount of the step; the legs are what it released, or moved from held to drawn. `recalled_fen` is what of a
-- refund is to come back from the parties that got parts of the order (L8).
CREATE TABLE orders_event (
    merchant_id bigint NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    verb text NOT NULL,
    ref text COLLATE "C" NOT NULL DEFAULT '',
    batch uuid NOT NULL,
    no integer NOT NULL,
    at timestamptz NOT NULL,
    fen bigint NOT NULL,
    fee_fen bigint NOT NULL DEFAULT 0,
    deficit_fen bigint NOT NULL DEFAULT 0,
    recalled_fen bigint NOT NULL DEFAULT 0,
    own_fen bigint NOT NULL DEFAULT 0,
    pool_fen bigint NOT NULL DEFAULT 0,
    temp_fen bigint NOT NULL DEFAULT 0,
    tolerance_fen bigint NOT NULL DEFAULT 0,
    note text NOT NULL DEFAULT '',
    CONSTRAINT orders_event_once PRIMARY KEY (merchant_id, order_id, verb, ref),
    CONSTRAINT orders_event_order FOREIGN KEY (merchant_id, order_id) REFERENCES orders_order (merchant_id, id)
);
CREATE INDEX orders_event_recalled ON orders_event (merchant_id, order_id) WHERE recalled_fen > 0;

-- What proves a receipt (O2). Carrier proof counts from `counts_at` on; a manual statement needs a second person's.
CREATE TABLE orders_evidence (
    merchant_id bigint NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    kind text NOT NULL CONSTRAINT orders_evidence_kind CHECK (kind IN ('platform', 'carrier', 'manual')),
    ref text NOT NULL,
    person text NOT NULL,
    at timestamptz NOT NULL,
    counts_at timestamptz NOT NULL,
    counted boolean NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, order_id, kind, person),
    CONSTRAINT orders_evidence_order FOREIGN KEY (merchant_id, order_id) REFERENCES orders_order (merchant_id, id)
);
CREATE INDEX orders_evidence_waiting ON orders_evidence (counts_at) WHERE NOT counted AND kind = 'carrier';

-- The money of a received order. FIFO by maturity; payouts, offsets of a deficit and disputes take from it, never more
-- than its net (W2).
CREATE TABLE orders_lot (
    merchant_id bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    store_id bigint NOT NULL,
    channel_account_id bigint NOT NULL,
    trust text NOT NULL CONSTRAINT orders_lot_trust CHECK (trust IN ('high', 'medium', 'low')),
    received_at timestamptz NOT NULL,
    payment_due_at timestamptz NOT NULL,
    gross_fen bigint NOT NULL,
    fee_fen bigint NOT NULL DEFAULT 0,
    refunded_fen bigint NOT NULL DEFAULT 0,
    lost_fen bigint NOT NULL DEFAULT 0,
    deficit_fen bigint NOT NULL DEFAULT 0,
    split_fen bigint NOT NULL DEFAULT 0,
    disputed_fen bigint NOT NULL DEFAULT 0,
    allocated_fen bigint NOT NULL DEFAULT 0,
    offset_fen bigint NOT NULL DEFAULT 0,
    settled_by text CONSTRAINT orders_lot_settled_by CHECK (settled_by IN ('statement', 'query')),
    settled_at timestamptz,
    matures_at timestamptz,
    matured_at timestamptz,
    generation integer NOT NULL DEFAULT 0,
    left_fen bigint NOT NULL GENERATED ALWAYS AS (
        gross_fen - fee_fen - refunded_fen - lost_fen + deficit_fen - split_fen - disputed_fen - allocated_fen
        - offset_fen) STORED,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT orders_lot_order FOREIGN KEY (merchant_id, id) REFERENCES orders_order (merchant_id, id),
    CONSTRAINT orders_lot_amounts CHECK (gross_fen > 0 AND least(fee_fen, refunded_fen, lost_fen, deficit_fen, split_fen,
                                                               disputed_fen, allocated_fen, offset_fen) >= 0),
    -- W2: what was taken from a lot never exceeds its net of refunds and of what parties got (L8); a refund beyond what
    -- was left is a deficit (O7).
    CONSTRAINT orders_lot_allocated_within_net CHECK (left_fen >= 0),
    CONSTRAINT orders_lot_order_of_steps CHECK (
        (settled_at IS NULL) = (settled_by IS NULL) AND (settled_at IS NULL) = (matures_at IS NULL)
        AND (matured_at IS NULL OR settled_at IS NOT NULL)),
    -- Only matured money leaves (O4), and a receipt of low trust becomes money by a statement's line alone (O2).
    CONSTRAINT orders_lot_only_matured_leaves CHECK (matured_at IS NOT NULL OR allocated_fen + offset_fen = 0),
    -- Parties get parts of what the channel has credited, never of what a buyer only owes (L8).
    CONSTRAINT orders_lot_only_settled_is_split CHECK (settled_at IS NOT NULL OR split_fen = 0),
    CONSTRAINT orders_lot_low_trust_needs_statement CHECK (trust <> 'low' OR settled_by IS DISTINCT FROM 'query')
) WITH (fillfactor = 80);
CREATE INDEX orders_lot_maturing ON orders_lot (matures_at) WHERE matured_at IS NULL;
CREATE INDEX orders_lot_unpaid ON orders_lot (payment_due_at) WHERE settled_at IS NULL;
CREATE INDEX orders_lot_fifo ON orders_lot (merchant_id, store_id, matured_at, id) WHERE matured_at IS NOT NULL AND left_fen > 0;

CREATE TRIGGER orders_order_moves AFTER UPDATE ON orders_order
    REFERENCING OLD TABLE AS rows_before NEW TABLE AS rows_after
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_move_v1('order');
CREATE TRIGGER orders_event_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON orders_event
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();

GRANT INSERT, UPDATE (state, state_before_dispute, open_own_fen, open_pool_fen, open_temp_fen, open_tolerance_fen,
                      refunded_fen) ON orders_order TO houfu_app;
GRANT INSERT ON orders_event TO houfu_app;
GRANT INSERT, UPDATE (counted) ON orders_evidence TO houfu_app;
GRANT INSERT, UPDATE (fee_fen, refunded_fen, lost_fen, deficit_fen, split_fen, disputed_fen, allocated_fen, offset_fen,
                      settled_by, settled_at, matures_at, matured_at, generation) ON orders_lot TO houfu_app;
