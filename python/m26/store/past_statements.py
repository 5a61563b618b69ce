"""The SQL of a moment of the past: the events up to it in, auctions as they were known then, out.

They go into temporary tables that are named like those of `m26`, so that the statements of the
present are those of the past as well: `search_path` tells which.
"""

from __future__ import annotations

from m26.store.rollup_statements import (
    CLOSED_AT,
    IS_SALE,
    LONGEST,
    OF_SALES,
    PAST,
    PRESENT,
    SALES,
    TOUCHED,
)
from m26.store.statements import OUTCOME

# Whether the session has the tables, of the schema as it is.
IS_READY = """
SELECT to_regclass('pg_temp.m26_past_' || schema_epoch) IS NOT NULL FROM m26.stream_head"""
_KEYS = {
    "market_now": "platform, card_id",
    "price_hour": "platform, card_id, bucket",
    "price_day": "platform, card_id, bucket",
    "market_index": "platform, width, bucket",
}
_TABLES = ("auction", "market_clock", "sighting", *_KEYS)


def _table(name: str) -> str:
    """A table like that of `m26`; not all that a row has to have there is known of the past."""
    if (key := _KEYS.get(name)) is None:
        return f"CREATE TEMP TABLE {name} ON COMMIT DELETE ROWS AS TABLE m26.{name} WITH NO DATA"
    columns = f"LIKE m26.{name} INCLUDING DEFAULTS INCLUDING GENERATED, PRIMARY KEY ({key})"
    return f"CREATE TEMP TABLE {name} ({columns}) ON COMMIT DELETE ROWS"


# Of the whole market so much is loaded that an index costs less afterwards.
INDEX = """
CREATE INDEX m26_past_card_idx ON pg_temp.auction (card_id, posted_at);
CREATE INDEX m26_past_sale_idx ON pg_temp.auction (card_id, closed_at) WHERE outcome = 'sold'"""
UNINDEX = "DROP INDEX pg_temp.m26_past_card_idx, pg_temp.m26_past_sale_idx"
# With `m26` before `pg_temp`, a view's text names what it is made of without a schema; with
# `pg_temp` before it, the same text is about the past.
_VIEW = f"""
DO $$
DECLARE text text;
BEGIN
    PERFORM set_config('search_path', '{PRESENT}', true);
    text := pg_get_viewdef('m26.sale'::regclass);
    PERFORM set_config('search_path', '{PAST}', true);
    EXECUTE 'CREATE TEMP VIEW sale AS ' || text;
    EXECUTE 'CREATE TEMP TABLE m26_past_' || (SELECT schema_epoch FROM stream_head) || ' ()';
END $$"""  # noqa: S608 - constants
# A pooler may have kept a session of an older schema.
MAKE_READY = ";\n".join(
    (
        f"DROP TABLE IF EXISTS {', '.join(f'pg_temp.{name}' for name in _TABLES)} CASCADE",
        *(_table(name) for name in _TABLES),
        INDEX,
        _VIEW,
    )
)
# $1 platform, $2 the moment.
SET_TIME = """
INSERT INTO pg_temp.market_clock (platform, newest, at, wait)
VALUES ($1, $2, $2, (SELECT wait FROM m26.market_clock WHERE platform = $1))"""

# For one question. Of the whole market so much is sorted that it would not fit into less; where it
# does not fit into this, the server sorts it on its disk.
SETTINGS = f"""
SELECT set_config('search_path', '{PAST}', true), set_config('work_mem', '64MB', true),
    set_config('timezone', 'UTC', true), set_config('jit', 'off', true)"""
# The server knows nothing of how little is asked for, and of these tables. $1: whether it may read
# one from its begin to its end; $2: whether it may join other than card by card.
PLANS = """
SELECT set_config('enable_seqscan', $1, true), set_config('enable_hashjoin', $2, true),
    set_config('enable_mergejoin', $2, true)"""

_STATE = (
    *("platform", "auction_id", "card_id", "card_version", "card_instance_id", "posted_at"),
    *("expires_at", "status", "start_price", "buyout_price", "current_bid", "next_bid", "bids"),
    *("median_price", "min_price", "max_price", "observed_at"),
)
_ASK = (
    *("platform", "auction_id", "card_id", "posted_at", "expires_at", "status", "buyout_price"),
    *("bids", "observed_at"),
)
"""What figures are made of, and deals."""
_SALE = ("platform", "auction_id", "card_id", "card_instance_id", "posted_at")


def _into(columns: tuple[str, ...]) -> str:
    return f"INSERT INTO pg_temp.auction ({', '.join(columns)}, last_seen)"


def _of(event: str, columns: tuple[str, ...]) -> str:
    return ", ".join(f"{event}.{name}" for name in columns)


def _seen(columns: tuple[str, ...], events: str) -> str:
    """The state of each auction that was seen last.

    What repeats another event, since an outcome was inferred, was not seen; what came late was.
    """
    return f"""
    SELECT DISTINCT ON (e.auction_id, e.platform) {_of("e", columns)} FROM {events}
        AND (e.evidence IS NULL OR e.evidence = 'status')
    ORDER BY e.auction_id, e.platform, e.observed_at DESC, e.seq DESC"""  # noqa: S608 - columns of ours


def _told(columns: tuple[str, ...], events: str) -> str:
    """The outcome of each auction that has one.

    It is the newest one that was stored, unless it was inferred and the auction was then seen on
    offer. What comes late decides no outcome. Events of before do not have a `closed_at`.
    """
    told = {"closed_at": f"{CLOSED_AT.format('e')} AS closed_at"}
    read = ", ".join(told.get(name, f"e.{name}") for name in (*columns, *OUTCOME))
    return f"""
    SELECT {_of("c", (*columns, *OUTCOME))} FROM (
        SELECT {read}, e.seq,
            max(e.seq) FILTER (WHERE e.kind = 'closed') OVER of AS newest,
            max(e.seq) FILTER (WHERE e.kind = 'changed') OVER of AS reopened
        FROM {events}
            AND (e.kind = 'closed' OR e.kind = 'changed' AND e.status = 'active' AND NOT e.late)
        WINDOW of AS (PARTITION BY e.auction_id, e.platform)
    ) AS c
    WHERE c.seq = c.newest AND (c.evidence = 'status' OR coalesce(c.reopened < c.seq, true))"""  # noqa: S608


def _fold(auctions: str) -> str:
    """Auctions as storing their events one by one would have left them.

    OFFSET 0 keeps the planner to the index.
    """
    return f"""
{_into((*_STATE, *OUTCOME))}
WITH past AS MATERIALIZED (
    SELECT e.* FROM {auctions}
    CROSS JOIN LATERAL (
        SELECT * FROM m26.auction_event AS e
        WHERE e.auction_id = a.auction_id AND e.platform = a.platform OFFSET 0
    ) AS e
    WHERE e.observed_at <= $2
)
SELECT {_of("s", _STATE)}, {_of("c", OUTCOME)}, s.observed_at
FROM ({_seen(_STATE, "past AS e WHERE true")}) AS s
LEFT JOIN ({_told(("auction_id", "platform"), "past AS e WHERE true")}) AS c
    ON c.auction_id = s.auction_id AND c.platform = s.platform"""  # noqa: S608 - columns of ours


# $1 platform, $2 the moment, $3 cards, $4 to $5 when they were posted.
FOLD_CARDS = _fold("""unnest($3::bigint[]) AS k (card_id)
    JOIN m26.auction AS a ON a.platform = $1 AND a.card_id = k.card_id
        AND a.posted_at > $4 AND a.posted_at <= $5 AND a.first_seen <= $2""")
# $3 their ids.
FOLD = _fold("(SELECT $1 AS platform, unnest($3::bigint[]) AS auction_id) AS a")


def _observed(since: str) -> str:
    """Events of a market. No auction is seen an hour before it is posted, or is told to end."""
    return f"""m26.auction_event AS e
    WHERE e.platform = $1 AND e.observed_at <= $2
        AND e.observed_at > {since} - interval '1 hour'"""


_ON_OFFER = f"$2::timestamptz - interval '{LONGEST}'"
# One that a status closed is among `c`, whatever else was seen of it.
_OPEN = "e.kind <> 'closed'"
# $1 platform, $2 the moment, $3 since when: of the whole market what was sold since then, and what
# was on offer at the moment, as far as figures are made of it.
_SOLD = f"least($3::timestamptz, {_ON_OFFER})"
FOLD_MARKET = f"""
WITH c AS MATERIALIZED ({_told(_SALE, _observed(_SOLD))}
), sold AS (
    INSERT INTO pg_temp.auction ({", ".join((*_SALE, *OUTCOME))})
    SELECT * FROM c WHERE outcome = 'sold' AND closed_at > $3
)
{_into(_ASK)}
SELECT {_of("s", _ASK)}, s.observed_at
FROM ({_seen(_ASK, f"{_observed(_ON_OFFER)} AND e.posted_at > {_ON_OFFER} AND {_OPEN}")}) AS s
WHERE s.status = 'active' AND s.expires_at > $2 AND s.buyout_price IS NOT NULL AND NOT EXISTS (
    SELECT FROM c WHERE c.auction_id = s.auction_id AND c.platform = s.platform
)"""  # noqa: S608 - columns of ours
# $1 cards: they are about to be folded.
EMPTY = "TRUNCATE pg_temp.auction"
FORGET = "DELETE FROM pg_temp.auction WHERE card_id = ANY ($1::bigint[])"
# $1 platform: its cards, with one look into the index for each.
CARDS = """
WITH RECURSIVE k AS (
    (SELECT card_id FROM m26.auction WHERE platform = $1 ORDER BY card_id LIMIT 1)
    UNION ALL
    SELECT (SELECT card_id FROM m26.auction WHERE platform = $1 AND card_id > k.card_id
        ORDER BY card_id LIMIT 1)
    FROM k WHERE k.card_id IS NOT NULL
)
SELECT coalesce(array_agg(card_id), '{}') FROM k WHERE card_id IS NOT NULL"""
# $1 cards, $2 since when, $3 before when, $4 how many: those of which fewer sales than that are
# known; of sales before $2 some may be missing.
FEW_SALES = f"""
SELECT coalesce(array_agg(k.card_id), '{{}}') FROM unnest($1::bigint[]) AS k (card_id)
WHERE (
    SELECT count(*) FROM (
        SELECT FROM pg_temp.auction AS a WHERE a.card_id = k.card_id
            AND a.closed_at > $2 AND a.closed_at < $3 AND {IS_SALE} LIMIT $4
    ) AS s
) < $4"""  # noqa: S608 - constants

# $1 when or null, $2 how many: the newest sales before then, and those of just then.
NEWEST = """
SELECT ARRAY(
    SELECT auction_id FROM pg_temp.auction
    WHERE closed_at < coalesce($1::timestamptz, 'infinity') AND outcome = 'sold'
    ORDER BY closed_at DESC, auction_id DESC LIMIT $2
) AS before, ARRAY(
    SELECT auction_id FROM pg_temp.auction WHERE closed_at = $1 AND outcome = 'sold'
) AS just_then"""

# $1 platform, $2 cards, $3 the moment: those that had been seen by then.
TOUCH = f"""
INSERT INTO pg_temp.{TOUCHED} (platform, card_id, at)
SELECT $1, card_id, $3 FROM unnest($2::bigint[]) AS k (card_id)
WHERE EXISTS (SELECT FROM pg_temp.auction AS a WHERE a.card_id = k.card_id)"""  # noqa: S608
# $1 since when: the buckets of all auctions there are.
TOUCH_BUCKETS = f"""
INSERT INTO pg_temp.{TOUCHED} (platform, card_id, at)
SELECT platform, card_id, posted_at FROM pg_temp.auction WHERE posted_at >= $1
UNION
SELECT platform, card_id, closed_at FROM pg_temp.auction WHERE closed_at >= $1 AND {IS_SALE}"""  # noqa: S608


def _sold(table: str, width: str) -> str:
    """Buckets of the whole market, which is asked for what sales come to alone."""
    return f"""
INSERT INTO pg_temp.{table} (platform, card_id, bucket, {", ".join(OF_SALES)}, listed)
SELECT s.*, 0 FROM (
    SELECT a.platform, a.card_id, date_trunc('{width}', a.closed_at), {SALES}
    FROM pg_temp.auction AS a
    WHERE date_trunc('{width}', a.closed_at) >= $1 AND {IS_SALE}
    GROUP BY a.platform, a.card_id, date_trunc('{width}', a.closed_at)
) AS s ON CONFLICT DO NOTHING"""  # noqa: S608 - constants


# $1 platform, $2 cards or null, $3 since when: days whose events are pruned.
FINAL_DAYS = """
INSERT INTO pg_temp.price_day SELECT * FROM m26.price_day
WHERE platform = $1 AND ($2::bigint[] IS NULL OR card_id = ANY ($2)) AND final AND bucket >= $3"""
# $1 since when.
SOLD = {"hour": _sold("price_hour", "hour"), "day": _sold("price_day", "day")}
UNTOUCH = f"DELETE FROM pg_temp.{TOUCHED}"  # noqa: S608 - constants
