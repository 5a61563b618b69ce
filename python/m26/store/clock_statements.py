"""The SQL of market time: newest server times in; by when prices are what they are, out.

Names are without a schema, as in `rollup_statements`.
"""

from __future__ import annotations

# $1 to $2: events. The newest server time of each platform, and its market time so far.
TIMES = """
SELECT t.platform, max(t.newest) AS newest, max(t.at) AS at
FROM (
    SELECT platform, newest, at FROM market_clock
    UNION ALL
    SELECT platform, max(observed_at), NULL FROM sighting GROUP BY platform
    UNION ALL
    SELECT platform, max(observed_at), NULL FROM auction_event
    WHERE seq > $1 AND seq <= $2 GROUP BY platform
) AS t
GROUP BY t.platform ORDER BY t.platform"""
# $1 platforms, $2 newest, $3 at, $4 wait.
SET_TIMES = """
INSERT INTO market_clock AS c (platform, newest, at, wait)
SELECT *, $4::interval FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[])
ON CONFLICT (platform) DO UPDATE
SET newest = excluded.newest, at = excluded.at, wait = excluded.wait
WHERE (c.newest, c.at, c.wait) IS DISTINCT FROM (excluded.newest, excluded.at, excluded.wait)"""
CLOCKS = "SELECT platform, at FROM market_clock"
# $1 platforms whose time was set back: what was made by a later one is made again.
AGAIN = """
UPDATE market_now AS n SET ages_at = c.at
FROM market_clock AS c WHERE c.platform = ANY ($1) AND n.platform = c.platform"""
# $1 platforms, $2 their market time: whether something has aged by then.
IS_DUE = """
SELECT EXISTS (
    SELECT FROM unnest($1::text[], $2::timestamptz[]) AS c (platform, at)
    JOIN market_now AS n ON n.platform = c.platform AND n.ages_at <= c.at
) OR EXISTS (SELECT FROM auction_moved)"""
