-- The market record: current state, append-only history, and the cursor that makes both exact.
-- Times are server clock, money is coins. See docs/DATA.md for each column's meaning.

CREATE TABLE m26.database_info (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    CONSTRAINT database_info_pkey PRIMARY KEY (id)
);
INSERT INTO m26.database_info DEFAULT VALUES;

-- One row. Every batch locks it first: writers are serial, seq is dense, commit order = seq order.
CREATE TABLE m26.stream_head (
    seq bigint NOT NULL
);
INSERT INTO m26.stream_head (seq) VALUES (0);

CREATE TABLE m26.ingest_cursor (
    part text NOT NULL,
    pos bigint NOT NULL DEFAULT 0,
    CONSTRAINT ingest_cursor_pkey PRIMARY KEY (part)
);

CREATE TABLE m26.card (
    card_id bigint NOT NULL,
    version bigint NOT NULL,
    name text,
    position text,
    overall integer,
    tier integer,
    program_id integer,
    program text,
    team_id integer,
    type text,
    discard_value bigint,
    discard_currency integer,
    attributes jsonb NOT NULL,
    first_seen timestamptz NOT NULL,
    CONSTRAINT card_pkey PRIMARY KEY (card_id, version)
);

CREATE TABLE m26.auction (
    platform text NOT NULL,
    auction_id bigint NOT NULL,
    card_id bigint NOT NULL,
    card_version bigint NOT NULL,
    card_instance_id bigint,
    acquired_at timestamptz,
    posted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    status text NOT NULL,
    start_price bigint,
    buyout_price bigint,
    current_bid bigint NOT NULL,
    next_bid bigint NOT NULL,
    bids integer NOT NULL,
    median_price bigint,
    min_price bigint,
    max_price bigint,
    first_seen timestamptz NOT NULL,
    last_seen timestamptz NOT NULL,
    observed_at timestamptz NOT NULL,
    outcome text,
    outcome_via text,
    evidence text,
    confidence real,
    final_price bigint,
    closed_at timestamptz,
    CONSTRAINT auction_pkey PRIMARY KEY (platform, auction_id)
);

-- What makes an observation a new state of its auction; anything else is only a sighting.
CREATE TYPE m26.auction_state AS (
    status text,
    buyout_price bigint,
    current_bid bigint,
    next_bid bigint,
    bids integer
);

CREATE TABLE m26.auction_event (
    seq bigint NOT NULL,
    kind text NOT NULL,
    platform text NOT NULL,
    auction_id bigint NOT NULL,
    card_id bigint NOT NULL,
    card_version bigint NOT NULL,
    card_instance_id bigint,
    observed_at timestamptz NOT NULL,
    posted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    status text NOT NULL,
    start_price bigint,
    buyout_price bigint,
    current_bid bigint NOT NULL,
    next_bid bigint NOT NULL,
    bids integer NOT NULL,
    median_price bigint,
    min_price bigint,
    max_price bigint,
    outcome text,
    outcome_via text,
    evidence text,
    confidence real,
    final_price bigint,
    CONSTRAINT auction_event_pkey PRIMARY KEY (seq)
) PARTITION BY RANGE (seq);
CREATE INDEX auction_event_auction_idx ON m26.auction_event (platform, auction_id);

-- One row a page; folded into auction.last_seen and deleted every few minutes.
CREATE TABLE m26.sighting (
    part text NOT NULL,
    pos bigint NOT NULL,
    platform text NOT NULL,
    observed_at timestamptz NOT NULL,
    auction_ids bigint[] NOT NULL
);

CREATE TABLE m26.sweep (
    id bigint GENERATED ALWAYS AS IDENTITY,
    platform text NOT NULL,
    query jsonb NOT NULL,
    pages_asked integer NOT NULL DEFAULT 0,
    pages_answered integer NOT NULL DEFAULT 0,
    truncated boolean NOT NULL DEFAULT false,
    seen integer NOT NULL DEFAULT 0,
    new integer NOT NULL DEFAULT 0,
    changed integer NOT NULL DEFAULT 0,
    complete boolean NOT NULL DEFAULT false,
    why text NOT NULL DEFAULT 'not finished',
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    CONSTRAINT sweep_pkey PRIMARY KEY (id),
    CONSTRAINT sweep_start_key UNIQUE (platform, started_at)
);

CREATE TABLE m26.reject (
    id bigint GENERATED ALWAYS AS IDENTITY,
    part text NOT NULL,
    pos bigint NOT NULL,
    item integer,
    byte_from bigint NOT NULL,
    byte_to bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    raw bytea NOT NULL,
    state text NOT NULL DEFAULT 'new',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reject_pkey PRIMARY KEY (id)
);

CREATE TABLE m26.drift (
    path text NOT NULL,
    kind text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now(),
    count bigint NOT NULL,
    sample text NOT NULL,
    CONSTRAINT drift_pkey PRIMARY KEY (path, kind)
);

CREATE VIEW m26.sale AS
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
    closed_at
FROM m26.auction
WHERE outcome = 'sold';

-- The newest version of each card, with the ratings of its definition at hand.
CREATE VIEW m26.card_latest AS
SELECT DISTINCT ON (card_id)
    *,
    attributes #> '{cardData,value}' AS ratings
FROM m26.card
ORDER BY card_id, first_seen DESC, version;

-- 2026-08-15T20:57:15Z, with a fraction only if it is not zero.
CREATE FUNCTION m26.iso(t timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')
        || rtrim(rtrim(to_char(t AT TIME ZONE 'UTC', '.US'), '0'), '.') || 'Z'
$$;

-- The one spelling of an event: stream, tail and API all take it from here.
CREATE VIEW m26.event_json AS
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
        final_price
    FROM m26.auction_event
) AS e;
