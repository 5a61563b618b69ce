-- Fair prices: kept by `m26.store.fair` beside what `m26.store.rollups` keeps. All of it can be emptied, with
-- the cursors set to 0, and is made again. See docs/DATA.md for each column's meaning.

ALTER TABLE m26.rollup_cursor ADD COLUMN moved_at timestamptz;
INSERT INTO m26.rollup_cursor (name, seq) VALUES ('fair', 0);

-- What all cards of a market have in common.
CREATE TABLE m26.market_model (
    platform text NOT NULL,
    at timestamptz NOT NULL,
    seq bigint NOT NULL,
    cards integer NOT NULL,
    index_from double precision NOT NULL,
    index double precision [] NOT NULL,
    positions text [] NOT NULL,
    programs text [] NOT NULL,
    effects double precision [] NOT NULL,
    programs_from integer NOT NULL,
    spread double precision NOT NULL,
    speeds double precision [] NOT NULL,
    shares double precision [] NOT NULL,
    noise double precision NOT NULL,
    bid double precision NOT NULL,
    shown double precision [] NOT NULL,
    shown_variance double precision [] NOT NULL,
    CONSTRAINT market_model_pkey PRIMARY KEY (platform)
);

-- What was said of each card's next sale, until that is known; and how often it held.
ALTER TABLE m26.market_now
ADD COLUMN said_at timestamptz,
ADD COLUMN said_low bigint,
ADD COLUMN said_high bigint;
CREATE TABLE m26.fair_check (
    platform text NOT NULL,
    day timestamptz NOT NULL,
    sales_week text NOT NULL,
    asked integer NOT NULL,
    held integer NOT NULL,
    CONSTRAINT fair_check_pkey PRIMARY KEY (platform, day, sales_week)
);
