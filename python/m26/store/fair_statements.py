"""The SQL of fair prices: what a card's price is made of out, what it comes to in.

Times cross as microseconds since 1970, in columns that are all of 64 bits: as binary COPY they are
what `m26._native.Pricer` reads. Names are without a schema: `m26.store.past` prices of other
auctions.
"""

from __future__ import annotations

from m26.store import rollup_statements
from m26.store.rollup_statements import LONGEST

DAYS = 30
"""How far back a price looks, as `m26 market value` does."""
MOST = 120
"""Sales of a card that are read, the newest; `rust/src/price/market.rs` looks at as many."""

# As of a step of rollups. A snapshot of a large market may take long.
SETTINGS = f"""{rollup_statements.SETTINGS},
    CASE WHEN current_setting('transaction_timeout', true) IS NOT NULL
        THEN set_config('transaction_timeout', '0', true) END"""

PLACE = """
SELECT f.seq, extract(epoch FROM now() - f.moved_at)::float8 AS age, p.seq AS upto,
    h.seq AS head, h.schema_epoch
FROM rollup_cursor AS f, rollup_cursor AS p, stream_head AS h
WHERE f.name = 'fair' AND p.name = 'prices'"""
# Whoever else writes `market_now` waits, or is waited for.
LOCK = "SELECT name, seq FROM rollup_cursor ORDER BY name FOR UPDATE"
MOVE = "UPDATE rollup_cursor SET seq = $1, moved_at = now() WHERE name = 'fair'"

MARKETS = """
SELECT c.platform AS market, c.at AS now, m.*
FROM market_clock AS c LEFT JOIN market_model AS m ON m.platform = c.platform
ORDER BY c.platform"""
# $1 platform.
MODEL = "SELECT * FROM market_model WHERE platform = $1"
ALL = "SELECT array_agg(card_id ORDER BY card_id) FROM market_now WHERE platform = $1"
# $1 platform, $2 to $3 events. A bid says nothing of what a card is worth.
TOUCHED = """
SELECT array_agg(DISTINCT e.card_id ORDER BY e.card_id)
FROM auction_event AS e
JOIN market_now AS n ON n.platform = e.platform AND n.card_id = e.card_id
WHERE e.seq > $2 AND e.seq <= $3 AND e.kind <> 'bid' AND e.platform = $1"""
# The words that cards have.
WORDS = """
SELECT array_agg(DISTINCT position ORDER BY position) FILTER (WHERE position IS NOT NULL),
    array_agg(DISTINCT program ORDER BY program) FILTER (WHERE program IS NOT NULL)
FROM card"""

_CARDS = "unnest($2::bigint[]) WITH ORDINALITY AS k (card_id, place)"
# $1 platform, $2 cards, $3 market time, here and in those that follow.
KINDS = f"""
SELECT c.overall, c.position, c.program, b.min_price, b.max_price, n.said_at, n.said_low,
    n.said_high
FROM {_CARDS}
JOIN market_now AS n ON n.platform = $1 AND n.card_id = k.card_id
LEFT JOIN LATERAL (
    SELECT v.overall, v.position, v.program FROM card AS v WHERE v.card_id = k.card_id
    ORDER BY v.first_seen DESC, v.version LIMIT 1
) AS c ON true
LEFT JOIN LATERAL (
    SELECT a.min_price, a.max_price FROM auction AS a
    WHERE a.platform = $1 AND a.card_id = k.card_id AND a.posted_at <= $3
    ORDER BY a.posted_at DESC, a.auction_id DESC LIMIT 1
) AS b ON true
ORDER BY k.place"""  # noqa: S608 - constants


def _us(time: str) -> str:
    return f"(extract(epoch FROM {time}) * 1000000)::bigint"


_SOLD = f"""
SELECT a.auction_id, a.closed_at, a.final_price, a.card_instance_id, a.outcome_via, a.median_price,
    coalesce(a.price_confidence, a.confidence) AS sure
FROM auction AS a
WHERE a.platform = $1::text AND a.card_id = k.card_id AND a.outcome = 'sold'
    AND a.final_price IS NOT NULL AND a.closed_at <= $3::timestamptz
    AND a.closed_at > $3::timestamptz - interval '{DAYS} days'
ORDER BY a.closed_at DESC, a.auction_id DESC LIMIT {MOST}"""  # noqa: S608 - constants
SALES = f"""
SELECT k.place - 1, {_us("a.closed_at")}, a.final_price, coalesce(a.card_instance_id, 0),
    (a.outcome_via = 'bid')::int::bigint, (a.sure::float8 * 1000000)::bigint,
    coalesce(a.median_price, 0)
FROM {_CARDS} CROSS JOIN LATERAL ({_SOLD}) AS a
ORDER BY k.place, a.closed_at, a.auction_id"""  # noqa: S608 - constants
# An ask stands as long as it was seen to.
ASKS = f"""
SELECT k.place - 1, {_us("a.posted_at")}, {_us("a.seen_at")}, a.buyout_price,
    a.is_open::int::bigint
FROM {_CARDS}
CROSS JOIN LATERAL (SELECT min(s.closed_at) AS sold_at FROM ({_SOLD}) AS s) AS first
CROSS JOIN LATERAL (
    SELECT a.posted_at, a.buyout_price,
        a.outcome IS NULL AND a.status = 'active' AND a.expires_at > $3::timestamptz AS is_open,
        CASE WHEN a.outcome IS NULL
            THEN least(greatest(a.observed_at, a.last_seen), a.expires_at, $3::timestamptz)
            ELSE least(coalesce(a.closed_after, a.posted_at), a.closed_at) END AS seen_at
    FROM auction AS a
    WHERE a.platform = $1::text AND a.card_id = k.card_id AND a.posted_at <= $3::timestamptz
        AND a.posted_at
            > coalesce(first.sold_at, $3::timestamptz) - interval '{LONGEST}'
        AND a.buyout_price IS NOT NULL
) AS a
WHERE a.seen_at > a.posted_at
ORDER BY k.place, a.posted_at"""  # noqa: S608 - constants
SHOWN = f"""
SELECT k.place - 1, {_us("a.posted_at")}, a.median_price
FROM {_CARDS}
CROSS JOIN LATERAL (
    SELECT a.posted_at, a.median_price FROM auction AS a
    WHERE a.platform = $1::text AND a.card_id = k.card_id AND a.posted_at <= $3::timestamptz
        AND a.posted_at > $3::timestamptz - interval '{DAYS} days' AND a.median_price > 0
    ORDER BY a.posted_at DESC, a.auction_id DESC LIMIT 1
) AS a
ORDER BY k.place"""  # noqa: S608 - constants

LEARNED = (
    *("platform", "at", "seq", "cards", "positions", "programs", "index_from", "index"),
    *("effects", "programs_from", "spread", "speeds", "shares", "noise", "bid", "shown"),
    "shown_variance",
)
"""Columns of `market_model`, in the order of `LEARN`."""
LEARN = f"""
INSERT INTO market_model ({", ".join(LEARNED)})
VALUES ({", ".join(f"${n}" for n, _ in enumerate(LEARNED, 1))})
ON CONFLICT (platform) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in LEARNED)}"""  # noqa: S608 - constants

_PRICED = {
    **dict.fromkeys(("card_id", "fair", "fair_low", "fair_high"), "bigint"),
    **dict.fromkeys(("n", "n_copies"), "integer"),
    **dict.fromkeys(("method", "flags"), "text"),
    "said_at": "timestamptz",
    **dict.fromkeys(("said_low", "said_high"), "bigint"),
}
PRICED = tuple(_PRICED)
"""What `WRITE` takes of each card, a list of each."""
_OWN = [name for name in PRICED if name not in {"card_id", "flags"}]
# $1 platform, $2 market time.
WRITE = f"""
UPDATE market_now AS n SET {", ".join(f"{name} = p.{name}" for name in _OWN)},
    flags = coalesce(string_to_array(p.flags, ' '), '{{}}'), priced_at = $2
FROM unnest({", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_PRICED.values(), 3))})
    AS p ({", ".join(PRICED)})
WHERE n.platform = $1 AND n.card_id = p.card_id"""  # noqa: S608 - constants

# $1 platform, $2 market time; of each group: its name, sales asked about, those within.
CHECK = """
INSERT INTO fair_check AS c (platform, day, sales_week, asked, held)
SELECT $1, date_trunc('day', $2::timestamptz), * FROM unnest($3::text[], $4::int[], $5::int[])
ON CONFLICT (platform, day, sales_week) DO UPDATE
    SET asked = c.asked + excluded.asked, held = c.held + excluded.held"""
# Of the last thirty days.
CHECKED = """
SELECT c.sales_week, sum(c.held)::float8 / sum(c.asked) AS share
FROM fair_check AS c JOIN market_clock AS m ON m.platform = c.platform
WHERE c.day > m.at - interval '30 days' GROUP BY c.sales_week HAVING sum(c.asked) > 0"""
