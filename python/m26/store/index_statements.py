"""The SQL of a market's index: buckets of its cards in; what they did from one to the next, out.

A bucket's change is the median of what cards did that sold in it and in the one before; all
together are the index.
"""

from __future__ import annotations

from m26.store.price_statements import listed


def _moves(width: str) -> str:
    """Of buckets since $2, of platform $1; the first has none before it."""
    return f"""
    SELECT platform, '{width}' AS width, bucket,
        exp(percentile_cont(0.5) WITHIN GROUP (ORDER BY moved)) - 1 AS change,
        count(moved) AS cards, sum(n) AS n, sum(coins) AS coins
    FROM (
        SELECT b.platform, b.bucket, b.n, b.coins,
            CASE WHEN lag(b.bucket) OVER w = b.bucket - interval '1 {width}'
                THEN ln(b.median::float8 / lag(b.median) OVER w) END AS moved
        FROM price_{width} AS b
        WHERE b.platform = $1 AND b.bucket >= $2 AND b.n > 0 AND b.median > 0
        WINDOW w AS (PARTITION BY b.card_id ORDER BY b.bucket)
    ) AS b GROUP BY platform, bucket"""  # noqa: S608 - constants


def _told(width: str) -> str:
    return listed(f"""
    SELECT m26.iso(bucket) AS bucket, round(change::numeric, 4) AS change, cards, n, coins
    FROM market_index
    WHERE platform = $1 AND width = '{width}' AND bucket >= $2 ORDER BY bucket""")  # noqa: S608


def _keep(width: str) -> str:
    return f"""
WITH made AS MATERIALIZED ({_moves(width)}), gone AS (
    DELETE FROM market_index AS i
    WHERE i.platform = $1 AND i.width = '{width}' AND i.bucket > $3
        AND NOT EXISTS (SELECT FROM made WHERE made.bucket = i.bucket)
)
INSERT INTO market_index AS i (platform, width, bucket, change, cards, n, coins)
SELECT * FROM made WHERE bucket > $3
ON CONFLICT (platform, width, bucket) DO UPDATE SET
    change = excluded.change, cards = excluded.cards, n = excluded.n, coins = excluded.coins
WHERE (i.change, i.cards, i.n, i.coins)
    IS DISTINCT FROM (excluded.change, excluded.cards, excluded.n, excluded.coins)"""  # noqa: S608


# $1 platform, $2 since.
TOLD = {width: _told(width) for width in ("hour", "day")}
# $1 platform, $2 since when buckets are read, $3 after which they are told.
KEEP = {width: _keep(width) for width in ("hour", "day")}
