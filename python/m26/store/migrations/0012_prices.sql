-- What sales and asks come to: kept by `m26.store.rollups` from the events, in their order. All of it can
-- be emptied, with the cursor set to 0, and is built again. See docs/DATA.md for each column's meaning.

-- How far the events are rolled up.
CREATE TABLE m26.rollup_cursor (
    name text NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT rollup_cursor_pkey PRIMARY KEY (name)
);
INSERT INTO m26.rollup_cursor (name, seq) VALUES ('prices', 0);

-- The market time as of which each platform's `market_now` holds.
CREATE TABLE m26.market_clock (
    platform text NOT NULL,
    newest timestamptz NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT market_clock_pkey PRIMARY KEY (platform)
);

CREATE TABLE m26.price_hour (
    platform text NOT NULL,
    card_id bigint NOT NULL,
    bucket timestamptz NOT NULL,
    n integer NOT NULL,
    n_copies integer NOT NULL,
    n_bid integer NOT NULL,
    n_buyout integer NOT NULL,
    low bigint,
    q1 bigint,
    median bigint,
    q3 bigint,
    high bigint,
    first bigint,
    last bigint,
    coins bigint NOT NULL,
    floor_min bigint,
    floor_last bigint,
    listed integer NOT NULL,
    coverage real,
    revision integer NOT NULL DEFAULT 1,
    final boolean NOT NULL DEFAULT false,
    CONSTRAINT price_hour_pkey PRIMARY KEY (platform, card_id, bucket)
);
-- Rows come nearly in the order of their buckets.
CREATE INDEX price_hour_bucket_idx ON m26.price_hour USING brin (bucket) WITH (autosummarize = on);
CREATE TABLE m26.price_day (
    LIKE m26.price_hour INCLUDING DEFAULTS,
    CONSTRAINT price_day_pkey PRIMARY KEY (platform, card_id, bucket)
);
CREATE INDEX price_day_bucket_idx ON m26.price_day USING brin (bucket) WITH (autosummarize = on);

CREATE TABLE m26.market_now (
    platform text NOT NULL,
    card_id bigint NOT NULL,
    floor bigint,
    floor2 bigint,
    floor_seen_at timestamptz,
    asks integer NOT NULL,
    depth jsonb NOT NULL,
    fair bigint,
    fair_low bigint,
    fair_high bigint,
    n integer,
    n_copies integer,
    method text,
    flags text [] NOT NULL DEFAULT '{}',
    last_sale bigint,
    last_sale_at timestamptz,
    sales_day integer NOT NULL,
    net bigint GENERATED ALWAYS AS (fair * 9 / 10) STORED,
    change_24h real,
    quicksell bigint,
    training_ratio real,
    coverage real,
    seq bigint NOT NULL,
    floor_auction bigint,
    ages_at timestamptz,
    priced_at timestamptz,
    CONSTRAINT market_now_pkey PRIMARY KEY (platform, card_id)
);
CREATE INDEX market_now_ages_idx ON m26.market_now (platform, ages_at);

CREATE OR REPLACE VIEW m26.sale AS
SELECT
    a.platform,
    a.auction_id,
    a.card_id,
    a.card_version,
    a.card_instance_id,
    a.final_price,
    a.outcome_via,
    a.evidence,
    a.confidence,
    a.bids,
    a.start_price,
    a.buyout_price,
    a.posted_at,
    a.closed_at,
    a.price_confidence,
    a.closed_after,
    a.closed_before,
    c.name,
    a.final_price * 9 / 10 AS net,
    lpad(to_hex(a.card_version), 16, '0') AS version_hex
FROM m26.auction AS a
LEFT JOIN m26.card AS c ON c.card_id = a.card_id AND c.version = a.card_version
WHERE a.outcome = 'sold';

-- What is on offer at the market's time.
CREATE VIEW m26.offer AS
SELECT
    a.platform,
    a.auction_id,
    a.card_id,
    c.name,
    c.position,
    c.overall,
    c.program,
    a.buyout_price,
    a.current_bid,
    a.next_bid,
    a.bids,
    a.median_price,
    a.min_price,
    a.max_price,
    a.posted_at,
    a.expires_at,
    greatest(a.observed_at, a.last_seen, s.seen_at) AS seen_at,
    greatest(
        coalesce(m.at, now()) - greatest(a.observed_at, a.last_seen, s.seen_at), interval '0'
    ) AS age,
    lpad(to_hex(a.card_version), 16, '0') AS version_hex
FROM m26.auction AS a
LEFT JOIN m26.market_clock AS m ON m.platform = a.platform
LEFT JOIN m26.card AS c ON c.card_id = a.card_id AND c.version = a.card_version
LEFT JOIN (
    SELECT
        g.platform,
        i.auction_id,
        max(g.observed_at) AS seen_at
    FROM m26.sighting AS g, unnest(g.auction_ids) AS i (auction_id)
    GROUP BY g.platform, i.auction_id
) AS s ON s.platform = a.platform AND s.auction_id = a.auction_id
WHERE a.outcome IS NULL AND a.status = 'active' AND a.expires_at > coalesce(m.at, now());

-- What a card is worth and costs, with its name, and when its floor was seen last.
CREATE VIEW m26.card_price AS
SELECT
    n.platform,
    n.card_id,
    c.name,
    c.position,
    c.overall,
    c.program,
    n.floor,
    n.floor2,
    greatest(n.floor_seen_at, a.last_seen, s.seen_at) AS floor_seen_at,
    greatest(m.at - greatest(n.floor_seen_at, a.last_seen, s.seen_at), interval '0') AS floor_age,
    n.asks,
    n.depth,
    n.fair,
    n.fair_low,
    n.fair_high,
    n.n,
    n.n_copies,
    n.method,
    n.flags,
    n.last_sale,
    n.last_sale_at,
    n.sales_day,
    n.net,
    n.change_24h,
    n.quicksell,
    n.training_ratio,
    n.coverage,
    n.seq,
    m.at AS market_time,
    c.version_hex
FROM m26.market_now AS n
JOIN m26.market_clock AS m ON m.platform = n.platform
LEFT JOIN m26.card_latest AS c ON c.card_id = n.card_id
LEFT JOIN m26.auction AS a ON a.platform = n.platform AND a.auction_id = n.floor_auction
LEFT JOIN (
    SELECT
        g.platform,
        i.auction_id,
        max(g.observed_at) AS seen_at
    FROM m26.sighting AS g, unnest(g.auction_ids) AS i (auction_id)
    GROUP BY g.platform, i.auction_id
) AS s ON s.platform = n.platform AND s.auction_id = n.floor_auction;
