"""The SQL of what moved: two windows of sales in, cards as JSON, those that moved most first, out.

Names are without a schema, as those of `m26.store.price_statements`.
"""

from __future__ import annotations

from m26.store.price_statements import listed

_MOVED = """
    SELECT s.card_id, c.name, c.position, c.overall, c.program,
        round(s.median::numeric / s.median_before - 1, 4) AS change, s.median, s.median_before,
        s.n, s.n_before, p.fair, p.floor, p.flags
    FROM ({sides}) AS s
    JOIN market_now AS p ON p.platform = $1 AND p.card_id = s.card_id
    LEFT JOIN m26.card_latest AS c ON c.card_id = s.card_id
    WHERE s.n >= $3 AND s.n_before >= $3 AND s.median > 0 AND s.median_before > 0
    ORDER BY abs(ln(s.median::float8 / s.median_before)) DESC, s.card_id LIMIT $4"""
# $1 platform, $2 windows of hours, which ends where the next one begins, $3 fewest sales, $4 how
# many. Of medians of hours the one that half of the sales do not exceed.
OF_HOURS = listed(
    _MOVED.format(
        sides="""
        SELECT card_id,
            min(median) FILTER (WHERE later AND 2 * upto >= total) AS median,
            min(median) FILTER (WHERE NOT later AND 2 * upto >= total) AS median_before,
            sum(n) FILTER (WHERE later) AS n, sum(n) FILTER (WHERE NOT later) AS n_before
        FROM (
            SELECT b.card_id, b.later, b.median, b.n,
                sum(b.n) OVER (PARTITION BY b.card_id, b.later ORDER BY b.median, b.bucket) AS upto,
                sum(b.n) OVER (PARTITION BY b.card_id, b.later) AS total
            FROM (
                SELECT *, bucket >= ($2::timestamptz[])[2] AS later FROM price_hour
                WHERE platform = $1 AND bucket >= ($2::timestamptz[])[1] AND n > 0
            ) AS b
        ) AS b GROUP BY card_id"""
    )
)
# $2 a day.
OF_DAYS = listed(
    _MOVED.format(
        sides="""
        SELECT n.card_id, n.median_24h AS median, b.median AS median_before,
            n.sales_day AS n, b.n AS n_before
        FROM market_now AS n
        JOIN price_day AS b ON b.platform = n.platform AND b.card_id = n.card_id
            AND b.bucket = $2::timestamptz
        WHERE n.platform = $1"""
    )
)
# $2 is not used: all of it is in `market_now`.
OF_A_DAY = listed(
    _MOVED.format(
        sides="""
        SELECT card_id, median_24h AS median, median_48h AS median_before,
            sales_day AS n, sales_before AS n_before
        FROM market_now WHERE platform = $1 AND $2::timestamptz IS NULL"""
    )
)
