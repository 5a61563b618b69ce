"""The peers' way to store a batch: staged rows in; events, current state and sightings out by SQL.

It comes to the same rows as the product's own way, which derives them before they leave the
process: tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable

from m26 import _native


def _staging(name: str, columns: Iterable[tuple[str, str]]) -> str:
    fields = ", ".join(f'"{column}" {pg_type}' for column, pg_type in columns)
    return f"CREATE TEMP TABLE IF NOT EXISTS {name} ({fields}) ON COMMIT DELETE ROWS"


# A batch touches thousands of rows of maybe millions: always by index. Left to itself the planner
# reads all of `auction` for every batch until the table has some hundred thousand rows.
SESSION = """
SELECT set_config('lock_timeout', '20s', true),
    set_config('idle_in_transaction_session_timeout', '60s', true),
    set_config('timezone', 'UTC', true),
    set_config('enable_seqscan', 'off', true),
    set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)"""
"""Settings of the transaction that stores a batch."""

AUCTION_STAGE = "m26_stage_auction"
CREATE_STAGE = _staging(AUCTION_STAGE, _native.AUCTION_COLUMNS)

# Whether an observation of this batch may be older than one that so far is only a sighting.
MAY_BE_LATE = """
SELECT EXISTS (
    SELECT FROM m26.sighting AS g
    JOIN (
        SELECT platform, min(observed_at) AS oldest
        FROM pg_temp.m26_stage_auction GROUP BY platform
    ) AS s ON s.platform = g.platform AND s.oldest < g.observed_at
)"""

# $1 stream head, $2 part, $3 journal position of each page of the batch.
#
# An auction's states stand in journal order (page, item). `was` is its committed row; the state
# before an observation is the one before it in this batch, or the committed one.
MERGE = """
WITH staged AS (
    SELECT *,
        page::bigint << 32 | item AS place,
        ROW(status, buyout_price, current_bid, next_bid, bids)::m26.auction_state AS state,
        CASE WHEN status = 'active' AND expires_at > observed_at
            THEN (extract(epoch FROM expires_at) * 1000000)::bigint END AS running_until,
        status = 'active' AS is_active
    FROM pg_temp.m26_stage_auction
), placed AS (
    SELECT s.*,
        CASE WHEN w.auction_id IS NOT NULL THEN
            ROW(w.status, w.buyout_price, w.current_bid, w.next_bid, w.bids)::m26.auction_state
        END AS was_state,
        w.card_version AS was_version,
        w.expires_at AS was_expires_at,
        w.start_price AS was_start_price,
        coalesce(w.price_confidence, w.confidence) AS was_confidence,
        w.status = 'active' OR (
            SELECT true FROM m26.auction_event AS e
            WHERE e.auction_id = w.auction_id AND e.platform = w.platform AND e.status = 'active'
            LIMIT 1) AS was_active,
        greatest(w.observed_at, w.last_seen, max(s.observed_at) OVER earlier) AS newest
    FROM staged AS s
    LEFT JOIN m26.auction AS w ON w.platform = s.platform AND w.auction_id = s.auction_id
    WINDOW earlier AS (
        PARTITION BY s.platform, s.auction_id ORDER BY s.place
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), steps AS (
    SELECT *,
        CASE WHEN row_number() OVER own = 1 THEN was_state ELSE lag(state) OVER own END AS before,
        lead(place) OVER own IS NULL AS is_last,
        first_value(observed_at) OVER own AS first_seen,
        was_active IS TRUE OR coalesce(bool_or(is_active) OVER before_it, false) AS active_before,
        coalesce(
            (max(ARRAY[place, start_price]) FILTER (WHERE start_price IS NOT NULL) OVER own)[2],
            was_start_price) AS known_start_price,
        coalesce(
            (max(ARRAY[place, running_until])
                FILTER (WHERE running_until IS NOT NULL) OVER before_it)[2],
            (extract(epoch FROM coalesce(
                was_expires_at, first_value(expires_at) OVER own)) * 1000000)::bigint) AS ran_until
    FROM placed
    WHERE newest IS NULL OR observed_at >= newest
    WINDOW own AS (PARTITION BY platform, auction_id ORDER BY place),
        before_it AS (own ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
), timed AS (
    -- An end that moves by 5 s or less with no new state stays what it was. (One that creeps inside
    -- a batch, 3 s and again 3 s, a window cannot follow; pages of a market hold none.)
    SELECT *,
        coalesce(
            'epoch'::timestamptz + interval '1 microsecond' * (max(ARRAY[place, running_until])
                FILTER (WHERE running_until IS NOT NULL AND (
                    state IS DISTINCT FROM before OR abs(running_until - ran_until) > 5000000))
                OVER own)[2],
            was_expires_at, first_value(expires_at) OVER own) AS ends_at
    FROM steps
    WINDOW own AS (PARTITION BY platform, auction_id ORDER BY place)
), ended AS (
    SELECT *,
        status = 'ended' AND active_before AND buyout_price IS NOT NULL
            AND observed_at + interval '5 seconds' < ends_at AS early
    FROM timed
), judged AS (
    SELECT *,
        CASE
            WHEN status IN ('expired', 'cancelled') THEN status
            WHEN status <> 'ended' THEN NULL
            WHEN buyout_price IS NULL AND bids = 0 THEN 'expired'
            WHEN early OR active_before AND bids > 0 THEN 'sold'
            ELSE 'unknown'
        END AS said,
        CASE WHEN early OR current_bid >= buyout_price THEN 'buyout' ELSE 'bid' END AS via,
        CASE WHEN early THEN buyout_price ELSE current_bid END AS price
    FROM ended
), certain AS (
    SELECT *,
        CASE
            WHEN said = 'unknown' THEN 0
            WHEN early THEN 0.98
            WHEN said IS NOT NULL THEN 1
        END::real AS certainty,
        CASE
            WHEN early THEN 0.98
            WHEN said = 'sold' AND current_bid < buyout_price THEN 0.95
            WHEN said = 'sold' THEN 1
        END::real AS price_certainty,
        CASE WHEN (before).status = 'active' THEN newest END AS on_offer_at
    FROM judged
), weighed AS (
    SELECT *,
        greatest(was_confidence, max(coalesce(price_certainty, certainty)) OVER (
            PARTITION BY platform, auction_id ORDER BY place
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS certain_before
    FROM certain
), told AS (
    SELECT *,
        CASE
            WHEN coalesce(price_certainty, certainty) > coalesce(certain_before, -1) THEN 'closed'
            WHEN (before).status IS NULL THEN 'listed'
            WHEN state IS NOT DISTINCT FROM before THEN NULL
            WHEN (state).status = (before).status
                AND (state).buyout_price IS NOT DISTINCT FROM (before).buyout_price
                AND ((state).bids > (before).bids OR (state).current_bid > (before).current_bid)
                THEN 'bid'
            ELSE 'changed'
        END AS kind
    FROM weighed
), event AS (
    SELECT *,
        $1::bigint + row_number() OVER (ORDER BY place) AS seq,
        kind = 'closed' AS closes,
        kind = 'closed' AND said = 'sold' AS sells
    FROM told WHERE kind IS NOT NULL
), written_events AS (
    INSERT INTO m26.auction_event (
        seq, kind, platform, auction_id, card_id, card_version, card_instance_id, observed_at,
        posted_at, expires_at, status, start_price, buyout_price, current_bid, next_bid, bids,
        median_price, min_price, max_price, outcome, outcome_via, evidence, confidence, final_price,
        price_confidence, closed_after, closed_before, closed_at)
    SELECT
        seq, kind, platform, auction_id, card_id, card_version, card_instance_id, observed_at,
        posted_at, ends_at, status, known_start_price, buyout_price, current_bid, next_bid, bids,
        median_price, min_price, max_price,
        CASE WHEN closes THEN said END,
        CASE WHEN sells THEN via END,
        CASE WHEN closes THEN 'status' END,
        CASE WHEN closes THEN certainty END,
        CASE WHEN sells THEN price END,
        CASE WHEN sells THEN price_certainty END,
        CASE WHEN closes THEN on_offer_at END,
        CASE WHEN closes THEN
            least(observed_at, greatest(ends_at + interval '5 seconds', on_offer_at)) END,
        CASE WHEN closes THEN least(observed_at, greatest(ends_at, on_offer_at)) END
    FROM event ORDER BY seq
), written_auctions AS (
    INSERT INTO m26.auction AS a (
        platform, auction_id, card_id, card_version, card_instance_id, acquired_at, posted_at,
        expires_at, status, start_price, buyout_price, current_bid, next_bid, bids, median_price,
        min_price, max_price, first_seen, last_seen, observed_at)
    SELECT
        platform, auction_id, card_id, card_version, card_instance_id, acquired_at, posted_at,
        ends_at, status, known_start_price, buyout_price, current_bid, next_bid, bids, median_price,
        min_price, max_price,
        first_seen, observed_at, observed_at
    FROM told
    WHERE is_last AND (
        (platform, auction_id) IN (SELECT platform, auction_id FROM event)
        OR card_version <> was_version
        OR ends_at <> was_expires_at)
    ORDER BY platform, auction_id
    ON CONFLICT (platform, auction_id) DO UPDATE SET
        card_id = excluded.card_id,
        card_version = excluded.card_version,
        card_instance_id = excluded.card_instance_id,
        acquired_at = excluded.acquired_at,
        posted_at = excluded.posted_at,
        expires_at = excluded.expires_at,
        status = excluded.status,
        start_price = excluded.start_price,
        buyout_price = excluded.buyout_price,
        current_bid = excluded.current_bid,
        next_bid = excluded.next_bid,
        bids = excluded.bids,
        median_price = excluded.median_price,
        min_price = excluded.min_price,
        max_price = excluded.max_price,
        last_seen = excluded.last_seen,
        observed_at = excluded.observed_at
), written_sightings AS (
    INSERT INTO m26.sighting (part, pos, platform, observed_at, auction_ids)
    SELECT $2, ($3::bigint[])[page + 1], platform, max(observed_at), array_agg(auction_id)
    FROM steps GROUP BY page, platform
)
SELECT
    page,
    count(*) AS seen,
    count(*) FILTER (WHERE (before).status IS NULL) AS new,
    count(kind) FILTER (WHERE (before).status IS NOT NULL) AS changed,
    count(*) FILTER (WHERE kind = 'listed') AS listed,
    count(*) FILTER (WHERE kind = 'bid') AS bid,
    count(*) FILTER (WHERE kind = 'closed') AS closed,
    count(kind) AS events
FROM told GROUP BY page ORDER BY page"""

# The outcomes that this batch's events ($1 < seq) gave, onto the current state.
CLOSE_AUCTIONS = """
UPDATE m26.auction AS a SET
    outcome = e.outcome,
    outcome_via = e.outcome_via,
    evidence = e.evidence,
    confidence = e.confidence,
    final_price = e.final_price,
    price_confidence = e.price_confidence,
    closed_after = e.closed_after,
    closed_before = e.closed_before,
    closed_at = e.closed_at
FROM (
    SELECT DISTINCT ON (platform, auction_id) *
    FROM m26.auction_event WHERE seq > $1 AND kind = 'closed'
    ORDER BY platform, auction_id, seq DESC
) AS e
WHERE a.platform = e.platform AND a.auction_id = e.auction_id"""
