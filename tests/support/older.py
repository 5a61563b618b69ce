"""A database as the version before filled it: its rule of outcomes looked at the status alone.

Of each five auctions the first ended early without bids (unknown then), the second early with bids
(sold to the last bidder, for certain), both of which were bought out; the third and the fourth are
the same after their time; the fifth was never seen on offer.
"""

from __future__ import annotations

from typing import Any

import asyncpg
from tests.support.wire import T0

BEFORE = """
ALTER TABLE m26.stream_head DROP COLUMN uncorrected;
DELETE FROM m26.schema_migration WHERE name LIKE '%outcomes_again%'"""

_AUCTIONS = f"""
CREATE TEMP TABLE old AS
SELECT
    id AS auction_id, id % 5 AS way, 'ps5'::text AS platform,
    to_timestamp({T0}) AS first_seen,
    to_timestamp({T0} + CASE WHEN id % 5 IN (3, 4) THEN 3700 ELSE 600 END) AS ended_at,
    CASE WHEN id % 5 IN (2, 4) THEN 2 ELSE 0 END AS bids,
    CASE WHEN id % 5 IN (2, 4) THEN 400 ELSE 100 END AS bid
FROM generate_series(1, $1::bigint) AS id"""

_STATE = """
    platform, auction_id, 13522975 AS card_id, 77 AS card_version, auction_id AS card_instance_id,
    to_timestamp({t0} - 8000) AS posted_at,
    CASE WHEN way = 0 THEN ended_at ELSE to_timestamp({t0} + 3600) END AS expires_at"""

# In the order of time: all first sights, then all ends.
_EVENTS = f"""
INSERT INTO m26.auction_event (
    platform, auction_id, card_id, card_version, card_instance_id, posted_at, expires_at,
    seq, kind, observed_at, status, start_price, buyout_price, current_bid, next_bid, bids,
    outcome, outcome_via, evidence, confidence, final_price)
SELECT {_STATE.format(t0=T0)},
    row_number() OVER (ORDER BY is_end, auction_id),
    CASE WHEN is_end THEN 'closed' ELSE 'listed' END,
    CASE WHEN is_end THEN ended_at ELSE first_seen END,
    CASE WHEN is_end THEN 'ended' ELSE 'active' END,
    100, 5000,
    CASE WHEN is_end THEN bid ELSE 100 END, 500,
    CASE WHEN is_end THEN bids ELSE 0 END,
    CASE WHEN NOT is_end THEN NULL WHEN bids > 0 THEN 'sold' ELSE 'unknown' END,
    CASE WHEN is_end AND bids > 0 THEN 'bid' END,
    CASE WHEN is_end THEN 'status' END,
    CASE WHEN NOT is_end THEN NULL WHEN bids > 0 THEN 1 ELSE 0 END,
    CASE WHEN is_end AND bids > 0 THEN bid END
FROM old, (VALUES (false), (true)) AS e (is_end)
WHERE is_end OR way <> 0"""

_ROWS = """
INSERT INTO m26.auction (
    platform, auction_id, card_id, card_version, card_instance_id, posted_at, expires_at, status,
    start_price, buyout_price, current_bid, next_bid, bids, first_seen, last_seen, observed_at,
    outcome, outcome_via, evidence, confidence, final_price, closed_at)
SELECT
    e.platform, e.auction_id, e.card_id, e.card_version, e.card_instance_id, e.posted_at,
    e.expires_at, e.status, e.start_price, e.buyout_price, e.current_bid, e.next_bid, e.bids,
    o.first_seen, e.observed_at, e.observed_at,
    e.outcome, e.outcome_via, e.evidence, e.confidence, e.final_price,
    least(e.observed_at, e.expires_at)
FROM m26.auction_event AS e
JOIN old AS o ON o.auction_id = e.auction_id
WHERE e.kind = 'closed'"""


async def fill(connection: asyncpg.Connection[Any], auctions: int) -> None:
    """Fill an empty database, and leave it with the schema of then."""
    await connection.execute(BEFORE)
    await connection.execute(
        "CREATE TABLE IF NOT EXISTS m26.auction_event_p00000 PARTITION OF m26.auction_event"
        " FOR VALUES FROM (0) TO (5000000)"
    )
    await connection.execute(
        "INSERT INTO m26.card (card_id, version, attributes, first_seen)"
        " VALUES (13522975, 77, '{}', now())"
    )
    await connection.execute("DROP TABLE IF EXISTS pg_temp.old")
    await connection.execute(_AUCTIONS.replace("$1", str(auctions)))
    await connection.execute(_EVENTS)
    await connection.execute(_ROWS)
    await connection.execute(
        "UPDATE m26.stream_head SET seq = (SELECT max(seq) FROM m26.auction_event)"
    )


async def judge(connection: asyncpg.Connection[Any], auctions: int, *, others: int = 0) -> None:
    """Every buyout has its price, by one event; nothing else has changed.

    Args:
        connection: to it.
        auctions: as in `fill`.
        others: events of what was collected since.
    """
    columns = "outcome, outcome_via, evidence, confidence::numeric(4, 2)::text, final_price"
    found = await connection.fetch(
        f"SELECT auction_id % 5 AS way, {columns}, count(*) FROM m26.auction"
        f" WHERE auction_id <= {auctions} GROUP BY way, {columns} ORDER BY way"
    )
    each = auctions // 5
    bought = ("sold", "buyout", "status", "0.98", 5000, each)
    unknown = ("unknown", None, "status", "0.00", None, each)
    assert [tuple(row) for row in found] == [
        (0, *unknown),
        (1, *bought),
        (2, *bought),
        (3, *unknown),
        (4, "sold", "bid", "status", "1.00", 400, each),
    ]
    closed = await connection.fetch(
        "SELECT auction_id % 5 AS way, closed, count(*) FROM ("
        "  SELECT auction_id, count(*) AS closed, count(DISTINCT observed_at) AS seen"
        "  FROM m26.auction_event WHERE kind = 'closed' GROUP BY auction_id"
        ") AS e WHERE seen = 1 GROUP BY way, closed ORDER BY way"
    )
    assert [tuple(row) for row in closed] == [
        (way, 2 if way in {1, 2} else 1, each) for way in range(5)
    ]
    differ = await connection.fetchval(
        "SELECT count(*) FROM m26.auction AS a JOIN LATERAL ("
        "  SELECT * FROM m26.auction_event AS e WHERE e.auction_id = a.auction_id"
        "    AND e.platform = a.platform AND kind = 'closed' ORDER BY seq DESC LIMIT 1"
        ") AS e ON (a.outcome, a.confidence, a.final_price, a.closed_at, a.status, a.bids)"
        "  IS DISTINCT FROM (e.outcome, e.confidence, e.final_price,"
        "    least(e.observed_at, e.expires_at), e.status, e.bids)"
    )
    assert differ == 0
    row = await connection.fetchrow(
        "SELECT h.seq, h.uncorrected, count(*), min(e.seq), max(e.seq)"
        " FROM m26.stream_head AS h, m26.auction_event AS e GROUP BY h.seq, h.uncorrected"
    )
    events = 9 * each + 2 * each + others  # one of five had no first sight; two were corrected
    assert tuple(row or ()) == (events, 0, events, 1, events)
