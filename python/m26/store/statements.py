"""The SQL of one batch beside its COPY: locks, cursor, what is read back, what is rewritten."""

from __future__ import annotations

from m26._native import AUCTION_ROW_COLUMNS
from m26.store.rollup_statements import LONGEST

# Of the stream head `h`, microseconds: what was posted before it is pruned, whether or not its row
# is still there. See `m26.store.retention`.
_SINCE = f"""
    coalesce((extract(epoch FROM h.pruned_before - interval '{LONGEST}') * 1000000)::bigint, 0)"""

# The settings first: a batch touches thousands of rows of maybe millions, always by index. Left to
# itself the planner reads all of `auction` for every batch until it has some hundred thousand.
# Limits of time are the session's own; those for behind a pooler, which does not keep any.
# Then the lock. Whoever wrote this row last is the last who stored a batch, with an event or not.
# Then the cursor: $1 part, $2 where it must stand, $3 where it shall; $4 to $6 who moves it, $7 the
# checksum of the record before its new place, $8 of that before its old one, which tells copies of
# a journal apart; NULL: unknown. A part without a row stands at 0; `pos` is NULL when the cursor is
# elsewhere, or another's.
OPEN = f"""
WITH settings AS MATERIALIZED (
    SELECT set_config('lock_timeout', '20s', true),
        CASE current_setting('idle_in_transaction_session_timeout')
            WHEN '0' THEN set_config('idle_in_transaction_session_timeout', '30s', true) END,
        CASE current_setting('transaction_timeout', true)
            WHEN '0' THEN set_config('transaction_timeout', '30s', true) END,
        set_config('timezone', 'UTC', true),
        set_config('enable_seqscan', 'off', true),
        set_config('enable_hashjoin', 'off', true),
        set_config('enable_mergejoin', 'off', true)
), head AS MATERIALIZED (
    SELECT h.seq, h.xmin::text AS writer, h.schema_epoch, {_SINCE} AS since
    FROM m26.stream_head AS h, settings FOR UPDATE OF h
), moved AS (
    INSERT INTO m26.ingest_cursor AS c (part, pos, writer, host, since, checksum)
    SELECT $1, $3::bigint, $4::text, $5::text, to_timestamp($6::float8), $7::bigint FROM head
    WHERE $2::bigint = 0 OR EXISTS (SELECT FROM m26.ingest_cursor WHERE part = $1)
    ON CONFLICT (part) DO UPDATE SET pos = excluded.pos, writer = excluded.writer,
        host = excluded.host, since = excluded.since, checksum = excluded.checksum
        WHERE c.pos = $2 AND coalesce(c.checksum = $8::bigint, true)
    RETURNING pos
)
SELECT seq, writer, since, schema_epoch, (SELECT pos FROM moved) AS pos FROM head"""  # noqa: S608
# The same before the lock: what is read after it holds as long as OPEN finds the same.
LOOK = f"SELECT seq, xmin::text AS writer, {_SINCE} AS since FROM m26.stream_head AS h"  # noqa: S608
# The lock of those who write beside the batches, and what makes them go by indexes as batches do.
LOCK = """
WITH settings AS MATERIALIZED (
    SELECT set_config('lock_timeout', '20s', true), set_config('timezone', 'UTC', true)
)
SELECT h.seq, h.schema_epoch FROM m26.stream_head AS h, settings FOR UPDATE OF h"""
BY_INDEX = """
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true)"""
LOCK_HEAD = "SELECT schema_epoch FROM m26.stream_head FOR UPDATE"
# By way of JSON: a schema that has no such column has an answer as well.
EPOCH = "SELECT (to_jsonb(h) ->> 'schema_epoch')::int FROM m26.stream_head AS h"
MOVE_HEAD = f"""
UPDATE m26.stream_head AS h SET seq = $1
RETURNING seq, xmin::text AS writer, {_SINCE} AS since"""  # noqa: S608
CURSOR = "SELECT pos, writer, host, since, checksum FROM m26.ingest_cursor WHERE part = $1"
# $1 part, $2 pos, $3 checksum, $4 host. A journal's new name is nobody's before this.
BEGIN_CURSOR = """
INSERT INTO m26.ingest_cursor (part, pos, checksum, host, since) VALUES ($1, $2, $3, $4, now())
ON CONFLICT (part) DO NOTHING"""

# $1 platforms, $2 auction ids. Columns as in STATE_COLUMNS. Each state of an auction is an event:
# where none is active, it was never seen active; what came late taught no end and does not count.
# LIMIT keeps the planner from reading all events at once. Sightings are grouped with what is asked
# for, and not joined to it: without hash joins that would be each with each.
_STATES = f"""
SELECT
    a.platform, a.auction_id, a.status, a.buyout_price, a.current_bid, a.next_bid, a.bids,
    a.card_version, (extract(epoch FROM a.expires_at) * 1000000)::bigint AS expires_at,
    a.start_price, a.outcome, a.evidence, a.confidence, a.price_confidence,
    (extract(epoch FROM a.closed_after) * 1000000)::bigint AS closed_after,
    a.status = 'active' OR (
        SELECT true FROM m26.auction_event AS e
        WHERE e.auction_id = a.auction_id AND e.platform = a.platform AND e.status = 'active'
            AND NOT e.late
        LIMIT 1) IS NOT NULL AS was_active,
    (extract(epoch FROM greatest(a.observed_at, a.last_seen, {{seen}})) * 1000000)::bigint
        AS newest
FROM {{keys}}
JOIN m26.auction AS a ON a.platform = n.platform AND a.auction_id = n.auction_id
JOIN m26.stream_head AS h ON h.pruned_before IS NULL
    OR least(a.posted_at, a.first_seen) >= h.pruned_before - interval '{LONGEST}'"""  # noqa: S608
READ_STATES = f"""
WITH newest AS (
    SELECT platform, auction_id, max(observed_at) AS observed_at
    FROM (
        SELECT platform, auction_id, NULL::timestamptz AS observed_at, true AS is_asked
        FROM unnest($1::text[], $2::bigint[]) AS k (platform, auction_id)
        UNION ALL
        SELECT platform, auction_id, observed_at, false
        FROM m26.sighting, unnest(auction_ids) AS auction_id
    ) AS s
    GROUP BY platform, auction_id HAVING bool_or(is_asked)
)
{_STATES.format(seen="n.observed_at", keys="newest AS n")}"""  # noqa: S608 - constants
# The same, of auctions that no row shows: with `newest` as far as the row has it.
_KEYS = "unnest($1::text[], $2::bigint[]) AS n (platform, auction_id)"
READ_OUTCOMES = _STATES.format(seen="NULL", keys=_KEYS)

# $1 card id, $2 version as JSON has it.
CARD_NAME = "SELECT name FROM m26.card WHERE card_id = $1 AND version = m26.card_version($2)"

# $1 card ids, $2 versions: those that are in the table.
KNOWN_CARDS = """
SELECT c.card_id, c.version
FROM unnest($1::bigint[], $2::bigint[]) AS k (card_id, version)
JOIN m26.card AS c ON c.card_id = k.card_id AND c.version = k.version"""

# $1 card ids, $2 versions, just inserted. More versions of one card than this in a day: something
# of the physical copy slipped into the definition.
MANY_VERSIONS = """
SELECT v.card_id, count(*) AS versions
FROM m26.card AS v
WHERE v.card_id = ANY ($1::bigint[]) AND v.first_seen > (
    SELECT max(n.first_seen) - interval '1 day'
    FROM unnest($1::bigint[], $2::bigint[]) AS k (card_id, version)
    JOIN m26.card AS n ON n.card_id = k.card_id AND n.version = k.version)
GROUP BY v.card_id HAVING count(*) > 5"""

STAGE = "m26_stage_auction"
CREATE_STAGE = f"CREATE TEMP TABLE IF NOT EXISTS {STAGE} (LIKE m26.auction) ON COMMIT DELETE ROWS"
# Of a batch that is halved, an earlier half may still stand in it. Not for every batch: this gives
# the table a new file and its catalog rows a dead version each.
EMPTY_STAGE = f"TRUNCATE pg_temp.{STAGE}"

OUTCOME = (
    *("outcome", "outcome_via", "evidence", "confidence", "final_price"),
    *("price_confidence", "closed_after", "closed_before", "closed_at"),
)
"""What an auction and an event say of the outcome."""
# Of a rewritten row all but its key and its first sight: a new column comes by itself. An outcome
# stays what it was unless this batch gave one, or withdrew it: then its evidence is empty.
_STAYS = {"platform", "auction_id", "first_seen"}
_GIVEN = {c: f"CASE WHEN s.evidence IS NULL THEN a.{c} ELSE s.{c} END" for c in OUTCOME}
_GIVEN["evidence"] = "nullif(coalesce(s.evidence, a.evidence), '')"
_REWRITTEN = ",\n    ".join(
    f"{c} = {_GIVEN.get(c, f's.{c}')}" for c, _ in AUCTION_ROW_COLUMNS if c not in _STAYS
)

REWRITE_AUCTIONS = f"""
UPDATE m26.auction AS a SET
    {_REWRITTEN}
FROM pg_temp.m26_stage_auction AS s
WHERE a.platform = s.platform AND a.auction_id = s.auction_id"""  # noqa: S608 - columns of ours

# $1 how many at most; the number of those that were there. The stream head is locked.
FOLD_SIGHTINGS = """
WITH chosen AS MATERIALIZED (SELECT ctid FROM m26.sighting LIMIT $1),
taken AS (
    DELETE FROM m26.sighting WHERE ctid IN (SELECT ctid FROM chosen)
    RETURNING platform, observed_at, auction_ids
), newest AS (
    SELECT platform, auction_id, max(observed_at) AS seen
    FROM taken, unnest(auction_ids) AS auction_id
    GROUP BY platform, auction_id
), folded AS (
    UPDATE m26.auction AS a SET last_seen = n.seen
    FROM newest AS n
    WHERE a.platform = n.platform AND a.auction_id = n.auction_id AND a.last_seen < n.seen
)
SELECT count(*) FROM chosen"""

NOTE_DRIFT = """
INSERT INTO m26.drift AS d (path, kind, count, sample) VALUES ($1, $2, $3, $4)
ON CONFLICT (path, kind) DO UPDATE SET count = d.count + excluded.count, last_seen = now()"""

# Of a batch that is staged: what is no COPY waits in a setting of the transaction, as JSON.
NOTE_DRIFTS = """
INSERT INTO m26.drift AS d (path, kind, count, sample)
SELECT path, kind, count, sample
FROM jsonb_to_recordset(current_setting('m26.batch')::jsonb -> 'drift')
    AS r (path text, kind text, count bigint, sample text)
ON CONFLICT (path, kind) DO UPDATE SET count = d.count + excluded.count, last_seen = now()"""

# MANY_VERSIONS and its note, of the cards just inserted out of `stage`.
NOTE_VERSIONS = """
WITH new AS (
    SELECT card_id, max(first_seen) - interval '1 day' AS since
    FROM pg_temp.{stage} GROUP BY card_id
), many AS (
    SELECT v.card_id FROM m26.card AS v JOIN new AS n ON n.card_id = v.card_id
    WHERE v.first_seen > (SELECT max(since) FROM new)
    GROUP BY v.card_id HAVING count(*) > 5
)
INSERT INTO m26.drift AS d (path, kind, count, sample)
SELECT 'card.version', 'many_versions', count(*), 'card ' || min(card_id)
FROM many HAVING count(*) > 0
ON CONFLICT (path, kind) DO UPDATE SET count = d.count + excluded.count, last_seen = now()"""

# The tables in use, of all parts, whatever the time before the end.
CALIBRATION = """
SELECT
    c.platform, c.evidence, c.band, sum(c.asked)::bigint AS asked,
    sum(c.said)::float8 / sum(c.asked)::float8 AS said,
    sum(c.agreed)::float8 / sum(c.asked)::float8 AS right,
    sum(c.price_said)::float8 / sum(c.asked)::float8 AS price_said,
    sum(c.price_agreed)::float8 / sum(c.asked)::float8 AS price_right,
    max(c.applies_from) AS applies_from
FROM m26.calibration AS c
JOIN (
    SELECT part, platform, max(version) AS version FROM m26.calibration GROUP BY part, platform
) AS newest USING (part, platform, version)
GROUP BY c.platform, c.evidence, c.band HAVING sum(c.asked) > 0
ORDER BY c.platform, c.evidence, c.band"""
