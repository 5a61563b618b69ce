-- What questions about a market are answered from, beside 0012. See docs/DATA.md for each column's meaning.

-- The same text as before, six times as fast: not to_char, and by a body that queries take in as their own.
CREATE OR REPLACE FUNCTION m26.iso(t timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE STRICT AS $$
    SELECT (to_json(t AT TIME ZONE 'UTC') #>> '{}') || 'Z'
$$;

-- Two of the intervals at which the platform is asked.
ALTER TABLE m26.market_clock ADD COLUMN wait interval;

-- Of the last 24 hours, and of those before; rows of before get theirs as what has aged does.
ALTER TABLE m26.market_now
ADD COLUMN median_24h bigint,
ADD COLUMN median_48h bigint,
ADD COLUMN sales_before integer NOT NULL DEFAULT 0;
UPDATE m26.market_now AS n SET ages_at = c.at
FROM m26.market_clock AS c WHERE c.platform = n.platform;

-- What the cards of a market did from one bucket to the next: kept by `m26.store.rollups` every five minutes.
CREATE TABLE m26.market_index (
    platform text NOT NULL,
    width text NOT NULL,
    bucket timestamptz NOT NULL,
    change double precision,
    cards integer NOT NULL,
    n integer NOT NULL,
    coins bigint NOT NULL,
    CONSTRAINT market_index_pkey PRIMARY KEY (platform, width, bucket)
);
