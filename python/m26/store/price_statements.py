"""The SQL of questions about a market: their parameters in, items as JSON, spelled once, out.

Names are without a schema: `search_path` says whether a question is about the present, where they
are those of `m26`, or about a moment of the past. Each statement answers with one text, a JSON list
in the order of `m26.market.views`.
"""

from __future__ import annotations

import re

from m26.store.rollup_statements import LONGEST, PRESENT

_MOST = 1_000
"""Asks of a card that are looked at, the lowest first."""
LEVELS, NEWEST = 10, 10
"""Prices and sales of a card's page."""

# {}: WRITE, or ONLY.
BEGIN = f"""
BEGIN ISOLATION LEVEL REPEATABLE READ, READ {{}};
SET LOCAL search_path = {PRESENT};
SET LOCAL jit = off"""

# $1 platform, $2 a moment or null. Events that the figures tell of, all events, market time; and
# whether the moment has come.
AS_OF = """
SELECT c.seq, h.seq AS head, m26.iso(m.at) AS market_time, m26.iso($2::timestamptz) AS moment,
    $2 > m.at AS is_ahead
FROM rollup_cursor AS c
CROSS JOIN stream_head AS h
LEFT JOIN market_clock AS m ON m.platform = $1
WHERE c.name = 'prices'"""
# $1 platform. Another row whenever an answer may be another.
MARK = """
SELECT array_agg(ROW(c.name, c.seq, c.moved_at)::text ORDER BY c.name), max(m.at)
FROM m26.rollup_cursor AS c, m26.market_clock AS m WHERE m.platform = $1"""
PLATFORMS = "SELECT platform FROM m26.market_clock ORDER BY platform"


def listed(rows: str) -> str:
    """Rows as one JSON list, in their order."""
    return f"SELECT coalesce(json_agg(row_to_json(i)), '[]')::text FROM ({rows}) AS i"  # noqa: S608 - constants


def _each(of: str) -> str:
    """Joins the definition of each row's card; the view would sort those of all cards first."""
    return f"""
    LEFT JOIN LATERAL (
        SELECT * FROM m26.card WHERE card.card_id = {of}.card_id
        ORDER BY card.first_seen DESC, card.version LIMIT 1
    ) AS c ON true"""  # noqa: S608


def _age(since: str, now: str) -> str:
    return (
        f"CASE WHEN {since} IS NOT NULL"
        f" THEN round(extract(epoch FROM greatest({now} - {since}, interval '0')), 3) END"
    )


def _flags(stale: str) -> str:
    """Those of the fair price; `stale` may stand there already."""
    return (
        f"p.flags || CASE WHEN {stale} AND NOT 'stale' = ANY (p.flags)"
        " THEN ARRAY['stale'] ELSE '{}'::text[] END"
    )


_STALE = "coalesce({m}.at - p.floor_seen_at > {m}.wait, false)"


def _price(c: str, m: str) -> str:
    """What is told of a card `p`; where its definition and the clock stand."""
    stale = _STALE.format(m=m)
    return f"""
    p.card_id, {c}.name, {c}.position, {c}.overall, {c}.program,
    p.floor, p.floor2, m26.iso(p.floor_seen_at) AS floor_seen_at,
    {_age("p.floor_seen_at", f"{m}.at")} AS floor_age, {stale} AS floor_stale, p.asks,
    p.fair, p.fair_low, p.fair_high, p.n, p.n_copies, p.method,
    p.last_sale, m26.iso(p.last_sale_at) AS last_sale_at,
    {_age("p.last_sale_at", f"{m}.at")} AS last_sale_age,
    p.sales_day, p.net, p.change_24h, p.quicksell, p.training_ratio, p.coverage,
    {_flags(stale)} AS flags"""


def _priced(definition: str) -> str:
    return f"""
    FROM market_now AS p
    JOIN market_clock AS m ON m.platform = p.platform {definition}
    WHERE p.platform = $1"""


_OF_ALL = "LEFT JOIN m26.card_latest AS c ON c.card_id = p.card_id"
_PRICE = f"SELECT {_price('c', 'm')} {_priced(_OF_ALL)}"

# $1 platform.
LATEST = listed(f"{_PRICE} ORDER BY p.card_id")
# $2 card.
PRICE = listed(f"{_PRICE} AND p.card_id = $2")


def _market(those: str) -> str:
    # Only what is told is put into words: not all that is sorted.
    return listed(f"""
    SELECT {_price("p", "p")}
    FROM (
        SELECT p.*, c.name, c.position, c.overall, c.program, m.at, m.wait {those}
            AND ($3::text IS NULL OR c.position = $3)
            AND ($4::integer IS NULL OR c.overall >= $4)
            AND ($6::bigint IS NULL OR (-coalesce(c.overall, -1), p.card_id) > (-$5::integer, $6))
        ORDER BY c.overall DESC NULLS LAST, p.card_id LIMIT $7
    ) AS p""")  # noqa: S608 - constants


# $2 cards, or null for all; $3 position or null, $4 lowest overall or null, $5 overall and $6 card
# of the last one told or null, $7 how many.
MARKET = _market(f"{_priced(_OF_ALL)} AND $2::bigint[] IS NULL")
MARKET_OF = _market(f"{_priced(_each('p'))} AND p.card_id = ANY ($2::bigint[])")

_BUCKET = """
    m26.iso(b.bucket) AS bucket, b.n, b.n_copies, b.n_bid, b.n_buyout,
    b.low, b.q1, b.median, b.q3, b.high, b.first, b.last, b.coins,
    b.floor_min, b.floor_last, b.listed, b.coverage, b.revision, b.final"""


def _buckets(table: str) -> str:
    return listed(f"""
    SELECT {_BUCKET} FROM {table} AS b
    WHERE b.platform = $1 AND b.card_id = $2
        AND ($3::timestamptz IS NULL OR b.bucket >= $3)
        AND ($4::timestamptz IS NULL OR b.bucket < $4)
    ORDER BY b.bucket""")  # noqa: S608


# $1 platform, $2 card, $3 since, $4 until, or null.
BUCKETS = {"hour": _buckets("price_hour"), "day": _buckets("price_day")}


def _asks(upto: str = "") -> str:
    """Of cards `k` their asks by the rule of `market_now`, and when each was seen last."""
    return f"""
    a AS MATERIALIZED (
        SELECT k.*, a.auction_id, a.buyout_price, a.expires_at, a.posted_at, a.bids,
            greatest(a.observed_at, a.last_seen) AS seen_at
        FROM k CROSS JOIN LATERAL (
            SELECT * FROM auction AS a
            WHERE a.platform = $1 AND a.card_id = k.card_id AND a.outcome IS NULL
                AND a.status = 'active' AND a.buyout_price IS NOT NULL
                AND a.expires_at > k.at AND a.posted_at > k.at - interval '{LONGEST}' {upto}
            ORDER BY a.buyout_price, a.auction_id LIMIT {_MOST}
        ) AS a
    ), seen AS MATERIALIZED (
        SELECT i.auction_id, max(i.observed_at) AS at
        FROM (
            SELECT unnest(g.auction_ids) AS auction_id, g.observed_at
            FROM sighting AS g WHERE g.platform = $1
        ) AS i
        WHERE i.auction_id IN (SELECT auction_id FROM a)
        GROUP BY i.auction_id
    ), ask AS (
        SELECT a.*, greatest(a.seen_at, seen.at) AS newest
        FROM a LEFT JOIN seen ON seen.auction_id = a.auction_id
    )"""  # noqa: S608 - constants


_OF_CARDS = """
    k AS (
        SELECT i.card_id, m.at
        FROM unnest($2::bigint[]) AS i (card_id) JOIN market_clock AS m ON m.platform = $1
    )"""
# $1 platform, $2 cards.
# $3 how many prices at most.
ASKS = f"WITH {_OF_CARDS}, {_asks()} " + listed("""
    SELECT buyout_price AS price, count(*) AS count,
        sum(count(*)) OVER (ORDER BY buyout_price) AS cumulative,
        m26.iso(min(newest)) AS oldest_seen, m26.iso(max(newest)) AS newest_seen,
        m26.iso(min(expires_at)) AS ends_at,
        array_agg(auction_id ORDER BY auction_id) AS auction_ids
    FROM ask GROUP BY buyout_price ORDER BY buyout_price LIMIT $3""")  # noqa: S608

_SALE = f"""
    s.auction_id, s.card_id, s.version_hex AS card_version, s.card_instance_id,
    s.name, c.overall, c.position, s.final_price, s.net, s.outcome_via, s.evidence,
    s.confidence, s.price_confidence, s.bids, s.start_price, s.buyout_price,
    m26.iso(s.posted_at) AS posted_at, m26.iso(s.closed_at) AS closed_at,
    m26.iso(s.closed_after) AS closed_after, m26.iso(s.closed_before) AS closed_before,
    {_age("s.closed_at", "m.at")} AS age"""


def _sales(of: str) -> str:
    return listed(f"""
    SELECT {_SALE}
    FROM sale AS s
    LEFT JOIN m26.card AS c ON c.card_id = s.card_id AND c.version = s.card_version
    LEFT JOIN market_clock AS m ON m.platform = s.platform
    WHERE s.platform = $1 AND {of} AND s.closed_at >= coalesce($3::timestamptz, '-infinity')
        AND ($4::timestamptz IS NULL OR (s.closed_at, s.auction_id) < ($4, $5::bigint))
    ORDER BY s.closed_at DESC, s.auction_id DESC LIMIT $6""")  # noqa: S608


# $1 platform, $2 card or null, $3 since or null, $4 time and $5 auction of the last one told or
# null, $6 how many.
CARD_SALES = _sales("s.card_id = $2")
SALES = _sales("$2::bigint IS NULL")

UNPRICED = "SELECT count(*) FROM market_now WHERE platform = $1 AND asks > 0 AND fair IS NULL"
# $1 platform: asks below what their card sells for, after tax.
_DEALS = f"""
WITH k AS MATERIALIZED (
    SELECT p.*, m.at, m.wait FROM market_now AS p JOIN market_clock AS m ON m.platform = p.platform
    WHERE p.platform = $1 AND p.floor < p.net
), {_asks("AND a.buyout_price < k.net")} """  # noqa: S608 - constants
DEALS = _DEALS + listed(f"""
    SELECT p.auction_id, p.card_id, c.name, c.position, c.overall, c.program,
        p.buyout_price, p.fair, p.fair_low, p.fair_high, p.net,
        CASE WHEN p.auction_id = p.floor_auction THEN p.floor2 ELSE p.floor END AS next_ask,
        p.n, p.n_copies, p.method, p.sales_day, p.last_sale,
        m26.iso(p.last_sale_at) AS last_sale_at, p.bids,
        m26.iso(p.posted_at) AS posted_at, m26.iso(p.expires_at) AS expires_at,
        m26.iso(p.newest) AS seen_at, {_age("p.newest", "p.at")} AS age,
        {_flags("coalesce(p.at - p.newest > p.wait, false)")} AS flags
    FROM ask AS p LEFT JOIN m26.card_latest AS c ON c.card_id = p.card_id""")  # noqa: S608

# $1 platform, $2 cards, $3 how many of each are wanted.
BASKET = f"WITH {_OF_CARDS}, {_asks()} " + listed(f"""
    SELECT w.card_id, c.name, c.position, c.overall, c.program, w.wanted,
        coalesce(k.asks, '{{}}') AS asks, w.wanted - coalesce(k.count, 0) AS missing,
        coalesce(k.cost, 0) AS cost, p.fair, m26.iso(k.oldest) AS oldest_seen,
        coalesce(p.flags, '{{}}') AS flags
    FROM unnest($2::bigint[], $3::integer[]) WITH ORDINALITY AS w (card_id, wanted, place)
    {_each("w")}
    LEFT JOIN market_now AS p ON p.platform = $1 AND p.card_id = w.card_id
    LEFT JOIN LATERAL (
        SELECT array_agg(o.buyout_price ORDER BY o.buyout_price, o.auction_id) AS asks,
            count(*) AS count, sum(o.buyout_price)::bigint AS cost, min(o.newest) AS oldest
        FROM (
            SELECT * FROM ask WHERE ask.card_id = w.card_id
            ORDER BY ask.buyout_price, ask.auction_id LIMIT w.wanted
        ) AS o
    ) AS k ON true
    ORDER BY w.place""")  # noqa: S608

# $1 platform, $2 card: of its newest definition, and what the upstream lets one ask.
CARD = """
SELECT row_to_json(i)::text FROM (
    SELECT c.version_hex AS card_version, c.tier, c.team_id, c.type, c.discard_currency,
        a.median_price, a.min_price, a.max_price
    FROM (SELECT 1) AS one
    LEFT JOIN m26.card_latest AS c ON c.card_id = $2
    LEFT JOIN LATERAL (
        SELECT median_price, min_price, max_price FROM auction
        WHERE platform = $1 AND card_id = $2 ORDER BY posted_at DESC LIMIT 1
    ) AS a ON true
) AS i"""


def _column(statement: str, *given: str) -> str:
    """A statement as a column of another, which gives it what its parameters are."""
    return f"({re.sub('[$]([1-6])', lambda at: given[int(at[1]) - 1], statement)})"


# $1 platform, $2 card, $3 since when hours and $4 since when days. All in one: each statement by
# itself would wait for its turn of the event loop, and of the server.
PAGE = f"""
SELECT {_column(PRICE, "$1", "$2")} AS price, {_column(CARD, "$1", "$2")} AS about,
    {_column(ASKS, "$1", "ARRAY[$2]", str(LEVELS))} AS asks,
    {_column(CARD_SALES, "$1", "$2", "NULL", "NULL", "NULL", str(NEWEST))} AS sales,
    {_column(BUCKETS["hour"], "$1", "$2", "$3", "NULL")} AS hours,
    {_column(BUCKETS["day"], "$1", "$2", "$4", "NULL")} AS days"""

# $1 platform, $2 an event: cards of its market that are new since then, or of which anything is.
NAMES = listed(f"""
    SELECT c.card_id, c.name, c.position, c.overall, c.program
    FROM market_now AS n {_each("n")}
    WHERE n.platform = $1 AND n.seq > $2 AND c.card_id IS NOT NULL""")  # noqa: S608 - constants
# $1 platform, $2 card: no row where nothing was seen of it there.
NAME = """
SELECT c.name FROM market_now AS n LEFT JOIN m26.card_latest AS c ON c.card_id = n.card_id
WHERE n.platform = $1 AND n.card_id = $2"""
