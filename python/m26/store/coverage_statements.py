"""The SQL of what prices were made of: looks and hours of coverage in, times and shares out.

Names are without a schema, as those of `m26.store.rollup_statements`.
"""

from __future__ import annotations

from m26.store.rollup_statements import IS_OPEN

_OF_HOURS = "SELECT platform, hour, max(seen) AS seen, max(listed) AS listed FROM coverage_hour"


def _cover(table: str, width: str) -> str:
    return f"""
WITH c AS MATERIALIZED (
    SELECT platform, date_trunc('{width}', hour) AS bucket,
        least(1, sum(seen)::float8 / nullif(sum(listed), 0))::real AS ratio
    FROM ({_OF_HOURS} WHERE hour >= date_trunc('day', $1::timestamptz) GROUP BY platform, hour) AS h
    GROUP BY platform, bucket
)
UPDATE {table} AS p SET coverage = c.ratio
FROM c, stream_head AS h
WHERE p.platform = c.platform AND p.bucket = c.bucket AND {IS_OPEN.format("p")}
    AND p.coverage IS DISTINCT FROM c.ratio"""  # noqa: S608 - constants


# $1 since when: coverage of each bucket. An hour's is told again as long as its auctions run.
COVER = {"hour": _cover("price_hour", "hour"), "day": _cover("price_day", "day")}
# Of the last 24 hours.
COVER_NOW = f"""
WITH c AS MATERIALIZED (
    SELECT h.platform, least(1, sum(h.seen)::float8 / nullif(sum(h.listed), 0))::real AS ratio
    FROM ({_OF_HOURS} GROUP BY platform, hour) AS h
    JOIN market_clock AS m ON m.platform = h.platform
    WHERE h.hour > m.at - interval '25 hours' AND h.hour <= m.at
    GROUP BY h.platform
)
UPDATE market_now AS n SET coverage = c.ratio
FROM c WHERE n.platform = c.platform AND n.coverage IS DISTINCT FROM c.ratio"""  # noqa: S608
# What was seen since the newest server time so far: of a floor that is the same it counts.
SEE = """
UPDATE market_now AS n SET floor_seen_at = s.at
FROM (
    SELECT g.platform, i.auction_id, max(g.observed_at) AS at
    FROM market_clock AS c
    JOIN sighting AS g ON g.platform = c.platform AND g.observed_at > c.newest
    CROSS JOIN unnest(g.auction_ids) AS i (auction_id)
    GROUP BY g.platform, i.auction_id
) AS s
JOIN auction AS a ON a.auction_id = s.auction_id AND a.platform = s.platform
WHERE n.platform = a.platform AND n.card_id = a.card_id AND n.floor_auction = a.auction_id
    AND n.floor_seen_at < s.at"""
