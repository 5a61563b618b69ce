"""Outcomes that no observation says: what was inferred between the pages of a batch, written.

Which of them count is decided in Rust, `States.derive`. Each is an event that repeats the last one
of its auction, so that it is the same wherever batches are cut; it is written in the batch's
transaction, after the events that were observed and before the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from m26._native import EVENT_COLUMNS
from m26.store.statements import OUTCOME

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from m26._native import Delta

Closing: TypeAlias = tuple[
    str, str | None, str, float, int | None, float | None, int | None, int | None, int
]
"""outcome, outcome_via, evidence, confidence, final_price, price_confidence, closed_after,
closed_before, closed_at; times are microseconds."""
Inferred: TypeAlias = tuple[int, str, int, int, Closing]
"""Page of the batch that it comes before, platform, auction_id, observed_at (of the evidence)."""

_TYPES = dict(EVENT_COLUMNS)


def _value(place: str, pg_type: str) -> str:
    if pg_type == "timestamptz":
        return f"timestamptz 'epoch' + ({place})::bigint * interval '1 us'"
    return f"({place})::{pg_type}"


_GIVEN = {
    name: _value(f"j ->> {n}", _TYPES[name])
    for n, name in enumerate(("seq", "platform", "auction_id", "observed_at", "expires_at"))
} | {name: _value(f"j -> 5 ->> {n}", _TYPES[name]) for n, name in enumerate(OUTCOME)}
_NAMES = ", ".join(name for name, _ in EVENT_COLUMNS)
_OWN = {"kind": "'closed'", "late": "false"}
_REPEATED = ", ".join(n for n, _ in EVENT_COLUMNS if n not in _GIVEN and n not in _OWN)
_VALUES = ", ".join(
    _OWN.get(name, f"g.{name}" if name in _GIVEN else f"e.{name}") for name, _ in EVENT_COLUMNS
)


def _close(given: str) -> str:
    """The statement that writes what `Delta.closed` gives: JSON that the SQL `given` has.

    Where the event that is to be repeated is not kept any more, the auction's row has its state.
    """
    values = ", ".join(f"{value} AS {name}" for name, value in _GIVEN.items())
    return f"""
WITH given AS MATERIALIZED (SELECT {values} FROM jsonb_array_elements({given}) AS j),
told AS (
    INSERT INTO m26.auction_event ({_NAMES})
    SELECT {_VALUES}
    FROM given AS g
    CROSS JOIN LATERAL (
        SELECT seq, {_REPEATED} FROM m26.auction_event AS e
        WHERE e.auction_id = g.auction_id AND e.platform = g.platform AND e.seq < g.seq
            AND NOT e.late
        UNION ALL
        SELECT 0, {_REPEATED} FROM m26.auction AS a
        WHERE a.auction_id = g.auction_id AND a.platform = g.platform
        ORDER BY seq DESC LIMIT 1
    ) AS e
)
UPDATE m26.auction AS a SET {", ".join(f"{name} = g.{name}" for name in OUTCOME)}
FROM (
    SELECT DISTINCT ON (auction_id, platform) * FROM given ORDER BY auction_id, platform, seq DESC
) AS g
WHERE a.auction_id = g.auction_id AND a.platform = g.platform"""  # noqa: S608 - columns of ours


_CLOSE = _close("$1::jsonb")
# Of a batch that is staged, with the same as JSON in a setting of the transaction.
STAGED = _close("(current_setting('m26.batch')::jsonb -> 'closings')") + ";"


async def write(connection: PoolConnectionProxy[Any], delta: Delta) -> None:
    """Write the events that repeat another, and the outcomes of their auctions."""
    if closed := delta.closed:
        await connection.execute(_CLOSE, orjson.dumps(closed).decode())
