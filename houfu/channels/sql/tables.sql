-- channels: what is to be told to payment channels, and what they have told us.

-- Written with the step of an order that the channel must hear of, told by the worker afterwards, in any number of tries.
CREATE TABLE channels_report (
    merchant_id bigint NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    kind text NOT NULL CONSTRAINT channels_report_kind CHECK (kind IN ('receipt', 'refund')),
    ref text COLLATE "C" NOT NULL,
    channel_account_id bigint NOT NULL,
    amount_fen bigint NOT NULL CONSTRAINT channels_report_amount CHECK (amount_fen > 0),
    at timestamptz NOT NULL,
    told_at timestamptz,
    PRIMARY KEY (merchant_id, order_id, kind, ref),
    CONSTRAINT channels_report_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id)
);
CREATE INDEX channels_report_untold ON channels_report (merchant_id, channel_account_id, at, order_id, kind)
    WHERE told_at IS NULL;

-- Every believable notice, kept before anything is concluded from it; the same notice again changes nothing (I-12).
CREATE TABLE channels_notice (
    merchant_id bigint NOT NULL,
    channel_account_id bigint NOT NULL,
    id text NOT NULL,
    kind text NOT NULL CONSTRAINT channels_notice_kind CHECK (kind IN ('transfer', 'settlement')),
    ref text NOT NULL,
    received_at timestamptz NOT NULL,
    handled_at timestamptz,
    PRIMARY KEY (merchant_id, channel_account_id, id),
    CONSTRAINT channels_notice_account FOREIGN KEY (merchant_id, channel_account_id)
        REFERENCES merchants_channel_account (merchant_id, id)
);
CREATE INDEX channels_notice_waiting ON channels_notice (received_at) WHERE handled_at IS NULL;

-- The weather as it was last known at a place that a merchant's pools follow (L6), and why the last question failed.
CREATE TABLE channels_weather (
    merchant_id bigint NOT NULL CONSTRAINT channels_weather_merchant REFERENCES merchants_merchant (merchant_id),
    place text NOT NULL,
    asked_at timestamptz NOT NULL,
    failure text,
    provider text,
    observed_at timestamptz,
    rain text NOT NULL,
    PRIMARY KEY (merchant_id, place)
);

GRANT INSERT, UPDATE (asked_at, failure, provider, observed_at, rain) ON channels_weather TO houfu_app;
GRANT INSERT, UPDATE (told_at) ON channels_report TO houfu_app;
GRANT INSERT, UPDATE (handled_at) ON channels_notice TO houfu_app;
