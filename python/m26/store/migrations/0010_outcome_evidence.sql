-- How sure an outcome's price is, and between which moments its auction ended. NULL in rows and events
-- of before: nobody noted it.

ALTER TABLE m26.auction
    ADD COLUMN price_confidence real,
    ADD COLUMN closed_after timestamptz,
    ADD COLUMN closed_before timestamptz;
ALTER TABLE m26.auction_event
    ADD COLUMN price_confidence real,
    ADD COLUMN closed_after timestamptz,
    ADD COLUMN closed_before timestamptz,
    ADD COLUMN closed_at timestamptz;

-- What of the market was seen in an hour, by one part.
CREATE TABLE m26.coverage_hour (
    part text NOT NULL,
    platform text NOT NULL,
    hour timestamptz NOT NULL,
    requests jsonb NOT NULL,
    seen integer NOT NULL,
    listed_low integer,
    listed integer,
    listed_high integer,
    endings_due integer NOT NULL,
    endings_known integer NOT NULL,
    sales_known integer NOT NULL,
    blind_seconds integer NOT NULL,
    CONSTRAINT coverage_hour_pkey PRIMARY KEY (part, platform, hour)
);

-- What later proof said of earlier evidence, and what that had said of itself; the rows of a version
-- apply from its hour on.
CREATE TABLE m26.calibration (
    part text NOT NULL,
    platform text NOT NULL,
    evidence text NOT NULL,
    band text NOT NULL,
    lead text NOT NULL,
    asked bigint NOT NULL,
    agreed bigint NOT NULL,
    price_agreed bigint NOT NULL,
    said real NOT NULL,
    price_said real NOT NULL,
    version integer NOT NULL,
    applies_from timestamptz NOT NULL,
    CONSTRAINT calibration_pkey PRIMARY KEY (part, platform, version, evidence, band, lead)
);

CREATE OR REPLACE VIEW m26.sale AS
SELECT
    platform,
    auction_id,
    card_id,
    card_version,
    card_instance_id,
    final_price,
    outcome_via,
    evidence,
    confidence,
    bids,
    start_price,
    buyout_price,
    posted_at,
    closed_at,
    price_confidence,
    closed_after,
    closed_before
FROM m26.auction
WHERE outcome = 'sold';

CREATE OR REPLACE VIEW m26.event_json AS
SELECT
    seq,
    row_to_json(e)::text AS data
FROM (
    SELECT
        seq,
        kind,
        platform,
        auction_id,
        card_id,
        lpad(to_hex(card_version), 16, '0') AS card_version,
        card_instance_id,
        m26.iso(observed_at) AS observed_at,
        m26.iso(posted_at) AS posted_at,
        m26.iso(expires_at) AS expires_at,
        status,
        start_price,
        buyout_price,
        current_bid,
        next_bid,
        bids,
        median_price,
        min_price,
        max_price,
        outcome,
        outcome_via,
        evidence,
        confidence,
        final_price,
        price_confidence,
        m26.iso(closed_after) AS closed_after,
        m26.iso(closed_before) AS closed_before,
        m26.iso(closed_at) AS closed_at,
        late
    FROM m26.auction_event
) AS e;
