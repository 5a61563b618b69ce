"""The SQL of market time: events and sightings in; each platform's time, and what was seen, out."""

from __future__ import annotations

# $1 to $2: events. The newest server time of each platform, and its market time so far.
TIMES = """
SELECT t.platform, max(t.newest) AS newest, max(t.at) AS at
FROM (
    SELECT platform, newest, at FROM m26.market_clock
    UNION ALL
    SELECT platform, max(observed_at), NULL FROM m26.sighting GROUP BY platform
    UNION ALL
    SELECT platform, max(observed_at), NULL FROM m26.auction_event
    WHERE seq > $1 AND seq <= $2 GROUP BY platform
) AS t
GROUP BY t.platform ORDER BY t.platform"""
# $1 platforms, $2 newest, $3 at, $4 wait.
SET_TIMES = """
INSERT INTO m26.market_clock AS c (platform, newest, at, wait)
SELECT *, $4::interval FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[])
ON CONFLICT (platform) DO UPDATE
SET newest = excluded.newest, at = excluded.at, wait = excluded.wait
WHERE (c.newest, c.at, c.wait) IS DISTINCT FROM (excluded.newest, excluded.at, excluded.wait)"""
CLOCKS = "SELECT platform, at FROM m26.market_clock"
# $1 platforms whose time was set back: what was made by a later one is made again.
AGAIN = """
UPDATE m26.market_now AS n SET ages_at = c.at
FROM m26.market_clock AS c WHERE c.platform = ANY ($1) AND n.platform = c.platform"""
# $1 platforms, $2 their market time: whether something has aged by then.
IS_DUE = """
SELECT EXISTS (
    SELECT FROM unnest($1::text[], $2::timestamptz[]) AS c (platform, at)
    JOIN m26.market_now AS n ON n.platform = c.platform AND n.ages_at <= c.at)"""
# What was seen since the newest server time so far: of a floor that is the same it counts.
SEE = """
UPDATE m26.market_now AS n SET floor_seen_at = s.at
FROM (
    SELECT g.platform, i.auction_id, max(g.observed_at) AS at
    FROM m26.market_clock AS c
    JOIN m26.sighting AS g ON g.platform = c.platform AND g.observed_at > c.newest
    CROSS JOIN unnest(g.auction_ids) AS i (auction_id)
    GROUP BY g.platform, i.auction_id
) AS s
JOIN m26.auction AS a ON a.auction_id = s.auction_id AND a.platform = s.platform
WHERE n.platform = a.platform AND n.card_id = a.card_id AND n.floor_auction = a.auction_id
    AND n.floor_seen_at < s.at"""
