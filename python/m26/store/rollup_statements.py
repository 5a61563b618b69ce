"""The SQL of rollups: events in; buckets of sales, and the market as it is, out.

Every figure is computed from `auction` alone whenever an event may have changed it, so that it
makes no difference in which steps the events come. A step's statements see what was committed up to
each of them; what is newer than its events is told by later ones, which touch the same again.

Names are without a schema: `m26.store.past` computes the same figures of other auctions.
"""

from __future__ import annotations

from datetime import timedelta

SURE = 0.8
"""`price_confidence` from which a sale is counted; the pricer weighs the others by it."""
RUNS = timedelta(hours=73)
LONGEST = f"{RUNS // timedelta(hours=1)} hours"
"""An auction is posted for 72 hours at most; one that was posted before is over, and no ask."""
BEHIND = 20_000
"""Events behind which figures are still being built: what a second of catching up makes good."""
DEPTH = 10
"""Prices that `depth` shows."""

PRESENT, PAST = "m26, pg_temp", "pg_temp, m26"
"""Where names are looked up: a session that was asked for the past has tables of the same names."""
# For one step: the planner knows nothing of what a step has touched.
SETTINGS = f"""
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
    set_config('timezone', 'UTC', true), set_config('search_path', '{PRESENT}', true)"""

PLACE = """
SELECT c.seq, h.seq AS head, h.schema_epoch
FROM rollup_cursor AS c, stream_head AS h WHERE c.name = 'prices'"""
# No row: another process is at it.
LOCK = f"{PLACE} FOR UPDATE OF c SKIP LOCKED"
MOVE = "UPDATE rollup_cursor SET seq = $1 WHERE name = 'prices' AND seq < $1"

TOUCHED = "m26_touched"
# The bucket of `at`, and those that are there up to the one of `until`; the card as it is now.
CREATE_TOUCHED = f"""
CREATE TEMP TABLE IF NOT EXISTS {TOUCHED} (
    platform text, card_id bigint, at timestamptz, until timestamptz
) ON COMMIT DELETE ROWS"""
CLOSED_AT = "coalesce({0}.closed_at, least({0}.observed_at, {0}.expires_at))"
_UNTIL = "CASE WHEN {0}.buyout_price IS NOT NULL THEN {0}.expires_at END"
# $1 to $2: events. A listing is an ask from then on; one that is over is none from then on, and may
# be a sale. Where an outcome is another than before, the one before has touched other buckets; an
# auction that was over at its first sight was an ask before it.
TOUCH = f"""
INSERT INTO pg_temp.{TOUCHED}
WITH e AS MATERIALIZED (
    SELECT * FROM auction_event WHERE seq > $1 AND seq <= $2 AND kind <> 'bid'
), ended AS MATERIALIZED (
    SELECT auction_id, platform, min(observed_at) AS seen_at FROM e WHERE kind <> 'listed'
    GROUP BY auction_id, platform
)
SELECT e.platform, e.card_id, e.posted_at, {_UNTIL.format("e")} FROM e WHERE kind <> 'closed'
UNION
SELECT h.platform, h.card_id, {CLOSED_AT.format("h")}, {_UNTIL.format("h")}
FROM ended JOIN auction_event AS h
    ON h.auction_id = ended.auction_id AND h.platform = ended.platform AND h.kind = 'closed'
UNION
SELECT a.platform, a.card_id,
    CASE WHEN a.first_seen < ended.seen_at THEN coalesce(a.closed_at, a.posted_at)
        ELSE a.posted_at END,
    {_UNTIL.format("a")}
FROM ended JOIN auction AS a
    ON a.auction_id = ended.auction_id AND a.platform = ended.platform"""  # noqa: S608 - constants
# Of auctions that another end, or another version of their card, was seen of and no event tells.
TOUCH_MOVED = f"""
WITH moved AS (DELETE FROM auction_moved RETURNING platform, auction_id)
INSERT INTO pg_temp.{TOUCHED}
SELECT DISTINCT a.platform, a.card_id, a.posted_at, CASE WHEN a.buyout_price IS NOT NULL
    THEN a.posted_at + interval '{LONGEST}' END
FROM moved JOIN auction AS a
    ON a.auction_id = moved.auction_id AND a.platform = moved.platform"""  # noqa: S608 - constants
# $1 how many at most: cards of which something has aged; how many they were.
TOUCH_AGED = f"""
WITH due AS (
    SELECT n.platform, n.card_id, n.ages_at, c.at
    FROM market_clock AS c
    JOIN market_now AS n ON n.platform = c.platform AND n.ages_at <= c.at
    ORDER BY n.ages_at LIMIT $1
), touched AS (
    INSERT INTO pg_temp.{TOUCHED} SELECT platform, card_id, ages_at, at FROM due RETURNING 1
)
SELECT count(*) FROM touched"""  # noqa: S608 - constants

IS_OPEN = "{0}.bucket >= coalesce(h.pruned_before, '-infinity')"  # else it is final
IS_SALE = f"""
    outcome = 'sold' AND final_price IS NOT NULL
    AND coalesce(price_confidence, confidence) >= {SURE}::real"""

_PRICES = ("n", "n_copies", "n_bid", "n_buyout", "low", "q1", "median", "q3", "high")
OF_SALES = (*_PRICES, "first", "last", "coins")
_FIGURES = (*OF_SALES, "floor_min", "floor_last", "listed")

# What sales come to.
SALES = """
        count(*) AS n, count(DISTINCT coalesce(a.card_instance_id, -a.auction_id)) AS n_copies,
        count(*) FILTER (WHERE a.outcome_via = 'bid') AS n_bid,
        count(*) FILTER (WHERE a.outcome_via = 'buyout') AS n_buyout,
        min(a.final_price) AS low,
        percentile_disc(0.25) WITHIN GROUP (ORDER BY a.final_price) AS q1,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY a.final_price) AS median,
        percentile_disc(0.75) WITHIN GROUP (ORDER BY a.final_price) AS q3,
        max(a.final_price) AS high,
        (array_agg(a.final_price ORDER BY a.closed_at, a.auction_id))[1] AS first,
        (array_agg(a.final_price ORDER BY a.closed_at DESC, a.auction_id DESC))[1] AS last,
        coalesce(sum(a.final_price), 0)::bigint AS coins"""
# What one bucket of `w` comes to, `a` being the card's auctions of about that time.
_BUCKET = f"""
SELECT b.bucket, b.width, s.*, l.*
FROM unnest(w.buckets, w.widths) AS b (bucket, width)
CROSS JOIN LATERAL (
    SELECT {SALES}
    FROM auction AS a
    WHERE a.platform = w.platform AND a.card_id = w.card_id
        AND a.closed_at >= b.bucket AND a.closed_at < b.bucket + b.width AND {IS_SALE}
) AS s
CROSS JOIN LATERAL (
    SELECT
        min(a.buyout_price) FILTER (WHERE a.ends_at > b.bucket) AS floor_min,
        min(a.buyout_price) FILTER (WHERE a.ends_at > least(b.bucket + b.width, w.now))
            AS floor_last,
        count(*) FILTER (WHERE a.posted_at >= b.bucket) AS listed
    FROM a WHERE a.posted_at > b.bucket - interval '{LONGEST}' AND a.posted_at < b.bucket + b.width
) AS l"""  # noqa: S608 - constants


def _wanted(table: str, width: str) -> str:
    """Buckets that events may have changed."""
    return f"""
    SELECT platform, card_id, date_trunc('{width}', at) AS bucket, interval '1 {width}' AS width
    FROM pg_temp.{TOUCHED}
    UNION
    SELECT p.platform, p.card_id, p.bucket, interval '1 {width}'
    FROM pg_temp.{TOUCHED} AS t
    JOIN {table} AS p ON p.platform = t.platform AND p.card_id = t.card_id
        AND p.bucket > t.at AND p.bucket <= t.until"""  # noqa: S608 - constants


def _written(table: str, width: str) -> str:
    """Put what they come to into a table; one with neither sale nor listing is none."""
    figures = ", ".join(_FIGURES)
    return f"""
gone_{width} AS (
    DELETE FROM {table} AS p USING made
    WHERE p.platform = made.platform AND p.card_id = made.card_id AND p.bucket = made.bucket
        AND made.width = interval '1 {width}' AND made.n = 0 AND made.listed = 0
), kept_{width} AS (
    INSERT INTO {table} AS p (platform, card_id, bucket, {figures})
    SELECT platform, card_id, bucket, {figures} FROM made
    WHERE width = interval '1 {width}' AND (n > 0 OR listed > 0)
    ON CONFLICT (platform, card_id, bucket) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in _FIGURES)}, revision = p.revision + 1
    WHERE ({", ".join(f"p.{name}" for name in _FIGURES)})
        IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in _FIGURES)})
)"""  # noqa: S608 - constants


def _buckets(*widths: str) -> str:
    """Compute touched buckets anew. A card's auctions are read once for all of its buckets."""
    wanted = " UNION ALL ".join(_wanted(f"price_{width}", width) for width in widths)
    return f"""
WITH wanted AS MATERIALIZED ({wanted}
), w AS MATERIALIZED (
    SELECT wanted.platform, wanted.card_id, c.at AS now, array_agg(wanted.bucket) AS buckets,
        array_agg(wanted.width) AS widths, min(wanted.bucket) AS since,
        max(wanted.bucket + wanted.width) AS until
    FROM wanted JOIN market_clock AS c ON c.platform = wanted.platform
    JOIN stream_head AS h ON {IS_OPEN.format("wanted")}
    GROUP BY wanted.platform, wanted.card_id, c.at
), made AS MATERIALIZED (
    SELECT w.platform, w.card_id, figures.*
    FROM w CROSS JOIN LATERAL (
        WITH a AS MATERIALIZED (
            SELECT a.posted_at, a.buyout_price, least(a.closed_at, a.expires_at) AS ends_at
            FROM auction AS a
            WHERE a.platform = w.platform AND a.card_id = w.card_id
                AND a.posted_at > w.since - interval '{LONGEST}' AND a.posted_at < w.until
        ){_BUCKET}
    ) AS figures
), {", ".join(_written(f"price_{width}", width) for width in widths)}
SELECT"""  # noqa: S608 - constants


BUCKETS = _buckets("hour", "day")
OF_WIDTH = {"hour": _buckets("hour"), "day": _buckets("day")}

_OWN = (
    *("floor", "floor2", "floor_seen_at", "asks", "depth", "last_sale", "last_sale_at"),
    *("sales_day", "change_24h", "quicksell", "floor_auction", "ages_at"),
    *("median_24h", "median_48h", "sales_before"),
)
# A row of `auction` is told late of what was seen without an event.
_MADE = {
    "floor_seen_at": "CASE WHEN n.floor_auction = excluded.floor_auction"
    " THEN greatest(n.floor_seen_at, excluded.floor_seen_at) ELSE excluded.floor_seen_at END"
}
# The next ten minutes at which a sale is older than a day, or two.
_AGES = "date_bin('10 minutes', {0} - interval '1 us', 'epoch') + interval '10 minutes {1}'"

# $1 number of the step's last event. Asks are those of which no end is known and whose time is not
# over; days of sales begin at full ten minutes, so that a card ages no more often.
NOW = f"""
WITH w AS MATERIALIZED (
    SELECT DISTINCT t.platform, t.card_id, c.at AS now,
        date_bin('10 minutes', c.at, 'epoch') - interval '24 hours' AS day
    FROM pg_temp.{TOUCHED} AS t JOIN market_clock AS c ON c.platform = t.platform
)
INSERT INTO market_now AS n (platform, card_id, seq, {", ".join(_OWN)})
SELECT w.platform, w.card_id, $1, k.floor, k.floor2, k.floor_seen_at, k.asks, k.depth,
    l.final_price, l.closed_at, s.day, (s.median::float8 / s.before - 1)::real, d.discard_value,
    k.floor_auction, least(k.ends, s.ages, s.ages_before), s.median, s.before, s.day_before
FROM w
CROSS JOIN LATERAL (
    SELECT
        count(*) AS asks, min(a.expires_at) AS ends,
        min(a.buyout_price) AS floor, min(a.buyout_price) FILTER (WHERE a.place = 2) AS floor2,
        min(a.seen_at) FILTER (WHERE a.place = 1) AS floor_seen_at,
        min(a.auction_id) FILTER (WHERE a.place = 1) AS floor_auction,
        coalesce(jsonb_agg(jsonb_build_object('price', a.buyout_price, 'count', a.level)
            ORDER BY a.buyout_price) FILTER (WHERE a.rank <= {DEPTH} AND a.within = 1), '[]')
            AS depth
    FROM (
        SELECT b.auction_id, b.buyout_price, b.expires_at,
            greatest(b.observed_at, b.last_seen) AS seen_at,
            row_number() OVER (ORDER BY b.buyout_price, b.auction_id) AS place,
            row_number() OVER (PARTITION BY b.buyout_price ORDER BY b.auction_id) AS within,
            count(*) OVER (PARTITION BY b.buyout_price) AS level,
            dense_rank() OVER (ORDER BY b.buyout_price) AS rank
        FROM auction AS b
        WHERE b.platform = w.platform AND b.card_id = w.card_id
            AND b.posted_at > w.now - interval '{LONGEST}' AND b.outcome IS NULL
            AND b.status = 'active' AND b.buyout_price IS NOT NULL AND b.expires_at > w.now
    ) AS a
) AS k
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (WHERE a.closed_at > w.day) AS day,
        count(*) FILTER (WHERE a.closed_at <= w.day) AS day_before,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY a.final_price)
            FILTER (WHERE a.closed_at > w.day) AS median,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY a.final_price)
            FILTER (WHERE a.closed_at <= w.day) AS before,
        {_AGES.format("min(a.closed_at) FILTER (WHERE a.closed_at > w.day)", "24 hours")} AS ages,
        {_AGES.format("min(a.closed_at) FILTER (WHERE a.closed_at <= w.day)", "48 hours")}
            AS ages_before
    FROM auction AS a
    WHERE a.platform = w.platform AND a.card_id = w.card_id
        AND a.closed_at > w.day - interval '24 hours' AND {IS_SALE}
) AS s
LEFT JOIN LATERAL (
    SELECT a.final_price, a.closed_at FROM auction AS a
    WHERE a.platform = w.platform AND a.card_id = w.card_id AND {IS_SALE}
    ORDER BY a.closed_at DESC, a.auction_id DESC LIMIT 1
) AS l ON true
LEFT JOIN LATERAL (
    SELECT c.discard_value FROM card AS c WHERE c.card_id = w.card_id
    ORDER BY c.first_seen DESC, c.version LIMIT 1
) AS d ON true
ON CONFLICT (platform, card_id) DO UPDATE SET seq = excluded.seq,
    {", ".join(f"{name} = {_MADE.get(name, f'excluded.{name}')}" for name in _OWN)}
WHERE ({", ".join(f"n.{name}" for name in _OWN)})
    IS DISTINCT FROM ({", ".join(_MADE.get(name, f"excluded.{name}") for name in _OWN)})"""  # noqa: S608 - constants
