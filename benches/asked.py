"""Databases to ask about a market: so many auctions of so many cards, with their prices, by SQL.

They look as if m26 had recorded 111,000 auctions a day. Events are left out: no question about the
present reads them.
"""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
from benches import databases
from benches.pages import PLATFORM, START

from m26.embedded.postgres import Postgres
from m26.store import index_statements, partitions
from m26.store.database import opened
from m26.store.indexes import INDEXES

PER_DAY = 111_000
CARDS = 9_000
FIRST_CARD = 1_000_000
FIRST_AUCTION = 5 * 10**9
"""Auctions that a benchmark stores meanwhile have smaller ids."""
ROOM = 1_000_000
SIGHTINGS = 400
"""Pages that are not folded yet: a run folds them before there are more."""
EPOCH = datetime.fromtimestamp(0, UTC)

# Fair prices are such that two or three asks of a thousand are deals.
# Numbers from 0 to 1 that look drawn: of row n, the k-th one.
_DRAWN = """
CREATE FUNCTION pg_temp.drawn(n bigint, k int) RETURNS float8 IMMUTABLE PARALLEL SAFE
RETURN (hashint8extended(n, k) & 4294967295) / 4294967296.0"""
_CARDS = """
INSERT INTO m26.card
SELECT $1 + n, 7 * n + 1, format('Player%s Name%s', n % 300, n % 1000),
    (ARRAY['QB', 'HB', 'WR', 'TE', 'MLB', 'CB', 'FS'])[1 + n % 7], 70 + n % 30, 1 + n % 5,
    n % 40, format('Program %s', n % 40), n % 32, 'player', 100 + n % 900, 1, '{}',
    to_timestamp($3::bigint) - interval '90 days'
FROM generate_series(0, $2::bigint - 1) AS n"""
# $1 first card, $2 cards, $3 the newest posting time, $4 auctions, $5 of a day, $6 first auction.
# Half of them are bought at a moment of their day, at once or late; few cards have most of them.
_AUCTIONS = f"""
INSERT INTO m26.auction (
    platform, auction_id, card_id, card_version, card_instance_id, acquired_at, posted_at,
    expires_at, status, start_price, buyout_price, current_bid, next_bid, bids, median_price,
    min_price, max_price, first_seen, last_seen, observed_at, outcome, outcome_via, evidence,
    confidence, final_price, closed_at, price_confidence, closed_after, closed_before
)
SELECT '{PLATFORM}', $6 + n, $1 + card, 7 * card + 1, 4000000000 + n, posted, posted,
    posted + interval '1 day', CASE WHEN ended < now THEN 'ended' ELSE 'active' END,
    price / 2, price, price / 2, price / 2, 0, price, 100, 10 * price, posted,
    least(ended, now), least(ended, now),
    CASE WHEN ended < now THEN CASE WHEN bought THEN 'sold' ELSE 'expired' END END,
    CASE WHEN ended < now AND bought THEN 'buyout' END,
    CASE WHEN ended < now THEN 'status' END, CASE WHEN ended < now THEN 1 END,
    CASE WHEN ended < now AND bought THEN price END, CASE WHEN ended < now THEN ended END,
    CASE WHEN ended < now AND bought THEN 1 END, CASE WHEN ended < now THEN ended END,
    CASE WHEN ended < now THEN ended END
FROM (
    SELECT *, posted + interval '1 day' * CASE WHEN bought THEN pg_temp.drawn(n, 3) ELSE 1 END
        AS ended,
        round(exp(5 + 7 * pg_temp.drawn(card, 4)) * (0.8 + 0.5 * pg_temp.drawn(n, 5)))::bigint
            AS price
    FROM (
        SELECT n, floor($2 * pg_temp.drawn(n, 1) ^ 2)::bigint AS card,
            to_timestamp($3::bigint) AS now,
            to_timestamp($3::bigint) - ($4 - n) * interval '1 day' / $5 AS posted,
            pg_temp.drawn(n, 2) < 0.5 AS bought
        FROM generate_series(1, $4::bigint) AS n
    ) AS drawn
) AS made"""


def _buckets(table: str, width: str) -> str:
    return f"""
INSERT INTO m26.{table}
SELECT platform, card_id, date_trunc('{width}', closed_at), count(*), count(*), 0, count(*),
    min(final_price), percentile_disc(0.25) WITHIN GROUP (ORDER BY final_price),
    percentile_disc(0.5) WITHIN GROUP (ORDER BY final_price),
    percentile_disc(0.75) WITHIN GROUP (ORDER BY final_price), max(final_price),
    min(final_price), max(final_price), sum(final_price), min(final_price), min(final_price),
    count(*), 0.9, 1, false
FROM m26.auction WHERE outcome = 'sold' GROUP BY platform, card_id, 3"""


_NOW = f"""
INSERT INTO m26.market_now (
    platform, card_id, floor, floor2, floor_seen_at, asks, depth, fair, fair_low, fair_high, n,
    n_copies, method, flags, last_sale, last_sale_at, sales_day, change_24h, quicksell,
    training_ratio, coverage, seq, floor_auction, median_24h, median_48h, sales_before
)
SELECT '{PLATFORM}', c.card_id, a.prices[1], a.prices[2], to_timestamp($1::bigint),
    coalesce(a.asks, 0), coalesce((SELECT jsonb_agg(jsonb_build_object('price', p, 'count', 1))
        FROM unnest(a.prices[1:10]) AS p), '[]'),
    s.fair, s.fair * 9 / 10, s.fair * 11 / 10, coalesce(least(60, s.n), 0),
    coalesce(least(60, s.n), 0), 'level',
    CASE WHEN s.n < 5 THEN '{{thin}}' ELSE '{{}}' END::text[], s.fair, s.at,
    coalesce(s.n / 90, 0), 0.01,
    c.discard_value, 1.5, 0.9, $2::bigint, a.floor_auction,
    s.fair, s.fair * 99 / 100, coalesce(s.n / 90, 0)
FROM m26.card AS c
LEFT JOIN (
    SELECT card_id, count(*) AS asks, array_agg(buyout_price ORDER BY buyout_price) AS prices,
        (array_agg(auction_id ORDER BY buyout_price))[1] AS floor_auction
    FROM m26.auction WHERE outcome IS NULL GROUP BY card_id
) AS a ON a.card_id = c.card_id
LEFT JOIN (
    SELECT card_id, count(*) AS n, (0.848 * avg(final_price))::bigint AS fair, max(closed_at) AS at
    FROM m26.auction WHERE outcome = 'sold' GROUP BY card_id
) AS s ON s.card_id = c.card_id"""
# Of ten pages a second, those that are not folded yet, of auctions that are on offer.
_SIGHTINGS = f"""
INSERT INTO m26.sighting
SELECT 'bench', p, '{PLATFORM}', to_timestamp($1::bigint) - ($2 - p) * interval '0.1 s', ids
FROM (
    SELECT row_number() OVER () AS p, ids FROM (
        SELECT array_agg(auction_id) AS ids FROM (
            SELECT auction_id, row_number() OVER () / 100 AS page FROM m26.auction,
                generate_series(1, 20) WHERE outcome IS NULL
        ) AS shown GROUP BY page LIMIT $2
    ) AS pages
) AS numbered"""

_CLOCK = """
INSERT INTO m26.market_clock
SELECT $1, t, t, interval '1 minute' FROM to_timestamp($2::bigint) AS t"""


async def made(
    server: Postgres, name: str, *, auctions: int, cards: int = CARDS, sightings: int = SIGHTINGS
) -> str:
    """A new database; its DSN."""
    dsn = await databases.create(server, name)
    async with opened(dsn) as store:
        await store.migrate()
    connection = await asyncpg.connect(dsn)
    try:
        run = connection.execute
        for setting in ("maintenance_work_mem = '512MB'", "work_mem = '256MB'", "jit = off"):
            await run(f"SET {setting}")
        await run(_DRAWN)
        await run(_CARDS, FIRST_CARD, cards, START)
        await run(_AUCTIONS, FIRST_CARD, cards, START, auctions, PER_DAY, FIRST_AUCTION)
        for index in INDEXES:
            await run(f"CREATE INDEX {index.name} ON {index.on}")
        await run(_buckets("price_hour", "hour"))
        await run(_buckets("price_day", "day"))
        await run(_NOW, START, auctions)
        await run(_SIGHTINGS, START, sightings)
        await run("UPDATE m26.stream_head SET seq = $1", auctions)
        await run("UPDATE m26.rollup_cursor SET seq = $1", auctions)
        await run(_CLOCK, PLATFORM, START)
        await run("SET search_path = m26")
        for keep in index_statements.KEEP.values():
            await run(keep, PLATFORM, EPOCH, EPOCH)
        await partitions.ensure(connection, auctions + ROOM, known=-1)
        await run("VACUUM ANALYZE")
    finally:
        await connection.close()
    return dsn
