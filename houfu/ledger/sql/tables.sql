-- ledger: the only place where a balance moves. Money and quota are two units that no transfer can bring together.

-- The chart: every kind of account, its unit, the side on which it grows, and whether it may fall below zero.
CREATE TABLE ledger_kind (
    kind text PRIMARY KEY,
    unit text NOT NULL CONSTRAINT ledger_kind_unit CHECK (unit IN ('CNY', 'CNY.Q')),
    grows_by text NOT NULL CONSTRAINT ledger_kind_side CHECK (grows_by IN ('debit', 'credit')),
    below_zero boolean NOT NULL DEFAULT false,
    gl_code text,
    owner text NOT NULL,
    meaning text NOT NULL,
    -- W1 by name: quota accounts are those called q:, and only a grant of quota may fall below zero (I-05).
    CONSTRAINT ledger_kind_quota_name CHECK ((unit = 'CNY.Q') = (kind LIKE 'q:%')),
    CONSTRAINT ledger_kind_only_grants_below_zero CHECK (below_zero = (kind LIKE 'q:grant:%'))
);
INSERT INTO ledger_kind (kind, unit, grows_by, below_zero, gl_code, owner, meaning) VALUES
    ('ar:buyer',            'CNY',   'debit',  false, '1122', 'store',   'what buyers owe for goods received'),
    ('cash:channel',        'CNY',   'debit',  false, '1012', 'channel', 'settled money at the channel'),
    ('cash:transit',        'CNY',   'debit',  false, '1012', 'channel', 'money sent to a beneficiary, not yet confirmed'),
    ('cash:bank',           'CNY',   'debit',  false, '1002', 'channel', 'money of the merchant outside the channel, put in or taken out'),
    ('claim:pending',       'CNY',   'credit', false, '2241', 'store',   'what a store will be owed once buyers have paid'),
    ('claim:settled',       'CNY',   'credit', false, '2241', 'store',   'settled, not yet matured'),
    ('claim:matured',       'CNY',   'credit', false, '2241', 'store',   'may be paid out'),
    ('claim:reserved',      'CNY',   'credit', false, '2241', 'store',   'set aside for payouts under way'),
    ('claim:disputed',      'CNY',   'credit', false, '2241', 'store',   'kept back while a buyer disputes'),
    ('payable:party',       'CNY',   'credit', false, '2202', 'party',   'parts of orders that a supplier or carrier is to get'),
    ('recall',              'CNY',   'debit',  false, '1221', 'store',   'refunded, and asked back from those who got parts of it'),
    ('deficit',             'CNY',   'debit',  false, '1221', 'store',   'refunded after it was paid out; the store owes it'),
    ('fee:expense:channel', 'CNY',   'debit',  false, '6603', 'channel', 'what the channel kept of settlements'),
    ('fee:expense:payout',  'CNY',   'debit',  false, '6603', 'channel', 'what the channel kept for payouts'),
    ('fee:recovered',       'CNY',   'credit', false, '6603', 'store',   'fees borne by the store'),
    ('q:grant:operator',    'CNY.Q', 'debit',  true,  NULL,   'merchant', 'limit given by the operator'),
    ('q:grant:temp',        'CNY.Q', 'debit',  true,  NULL,   'store',   'limit lent for a few days (L1)'),
    ('q:grant:tolerance',   'CNY.Q', 'debit',  true,  NULL,   'store',   'the band above the limit that is in use (O6)'),
    ('q:own:free',          'CNY.Q', 'debit',  false, NULL,   'store',   'own limit not in use'),
    ('q:own:held',          'CNY.Q', 'debit',  false, NULL,   'store',   'own limit held by open orders'),
    ('q:own:drawn',         'CNY.Q', 'debit',  false, NULL,   'store',   'own limit drawn by orders received'),
    ('q:pool:free',         'CNY.Q', 'debit',  false, NULL,   'pool',    'shared limit not in use'),
    ('q:pool:held',         'CNY.Q', 'debit',  false, NULL,   'store',   'shared limit held by a store''s open orders'),
    ('q:pool:drawn',        'CNY.Q', 'debit',  false, NULL,   'store',   'shared limit drawn by a store''s orders received'),
    ('q:temp:free',         'CNY.Q', 'debit',  false, NULL,   'store',   'lent limit not in use'),
    ('q:temp:held',         'CNY.Q', 'debit',  false, NULL,   'store',   'lent limit held by open orders'),
    ('q:temp:drawn',        'CNY.Q', 'debit',  false, NULL,   'store',   'lent limit drawn by orders received'),
    ('q:tolerance:held',    'CNY.Q', 'debit',  false, NULL,   'store',   'tolerance held by open orders'),
    ('q:tolerance:drawn',   'CNY.Q', 'debit',  false, NULL,   'store',   'tolerance drawn by orders received'),
    ('q:reduced',           'CNY.Q', 'debit',  false, NULL,   'store',   'taken from the original limit, and what restoration can give back (L2)'),
    ('q:lost:pool',         'CNY.Q', 'debit',  false, NULL,   'pool',    'shared limit lost by write-offs'),
    ('q:conv',              'CNY.Q', 'debit',  false, NULL,   'conversion', 'own limit on its way from one platform to another (L7)'),
    ('q:haircut',           'CNY.Q', 'debit',  false, NULL,   'conversion', 'what a conversion kept, and gives back with what comes back');

CREATE TABLE ledger_account (
    merchant_id bigint NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL REFERENCES ledger_kind,
    owner bigint NOT NULL,
    unit text NOT NULL,
    grows_by text NOT NULL,
    below_zero boolean NOT NULL,
    balance_fen bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT ledger_account_is_one UNIQUE (merchant_id, kind, owner),
    -- No account falls below zero but a grant of quota (I-05); limits and claims end here.
    CONSTRAINT ledger_account_floor CHECK (balance_fen >= 0 OR below_zero)
) WITH (fillfactor = 50);

-- One event moves each unit by at most one transfer; both carry the id of the event.
CREATE TABLE ledger_transfer (
    merchant_id bigint NOT NULL,
    id uuid NOT NULL,
    unit text NOT NULL,
    verb text NOT NULL,
    at timestamptz NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (merchant_id, id, unit)
);

-- An entry moves an amount from its credit account to its debit account: balanced by its form (I-02). Its unit is that
-- of its transfer and of both its accounts, so that money and quota cannot meet (W1); ledger_belong_v1 looks after it.
CREATE TABLE ledger_entry (
    merchant_id bigint NOT NULL,
    transfer_id uuid NOT NULL,
    unit text NOT NULL,
    no integer NOT NULL,
    debit_id bigint NOT NULL,
    credit_id bigint NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT ledger_entry_amount CHECK (amount_fen BETWEEN 1 AND 10000000000000),
    PRIMARY KEY (merchant_id, transfer_id, unit, no),
    CONSTRAINT ledger_entry_two_accounts CHECK (debit_id <> credit_id)
);

CREATE TRIGGER ledger_transfer_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER ledger_entry_written_once BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
-- An account is what it was opened as, for ever; only its balance moves.
CREATE TRIGGER ledger_account_stays BEFORE DELETE OR TRUNCATE ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
CREATE TRIGGER ledger_account_is_what_it_is
    BEFORE UPDATE OF merchant_id, id, kind, owner, unit, grows_by, below_zero ON ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change_v1();
