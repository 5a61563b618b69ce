"""What another collector has overtaken: an auction's events in, what late observations change out.

What they come to is decided in Rust, `States.derive`; it is written in the batch's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from m26._native import EVENT_COLUMNS
from m26.store.statements import OUTCOME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg.pool import PoolConnectionProxy

    from m26._native import Delta

# $1 platforms, $2 auction ids, of late observations: all their events, as `States.derive` takes
# them, but for those that repeat a state that was not seen then. OFFSET 0 keeps the planner to the
# index.
READ_PAST = """
SELECT
    k.platform, k.auction_id, e.seq, (extract(epoch FROM e.observed_at) * 1000000)::bigint,
    e.status, e.buyout_price, e.current_bid, e.next_bid, e.bids,
    (extract(epoch FROM e.expires_at) * 1000000)::bigint, e.start_price
FROM unnest($1::text[], $2::bigint[]) AS k (platform, auction_id)
CROSS JOIN LATERAL (
    SELECT * FROM m26.auction_event AS e
    WHERE e.auction_id = k.auction_id AND e.platform = k.platform OFFSET 0
) AS e
WHERE e.evidence IS NULL OR e.evidence = 'status'"""

_NAMES = ", ".join(name for name, _ in EVENT_COLUMNS)


def _at(place: int) -> str:
    return f"timestamptz 'epoch' + (j ->> {place})::bigint * interval '1 us'"


def _again() -> str:
    """The columns of an event that repeats another one."""
    own = {"seq": "(j ->> 0)::bigint", "kind": "'changed'", "observed_at": _at(2), "late": "true"}
    own |= dict.fromkeys(OUTCOME, "NULL")
    return ", ".join(own.get(name, f"e.{name}") for name, _ in EVENT_COLUMNS)


def _amend(given: str) -> list[str]:
    """Statements that write what `amends` gives: JSON that the SQL `given` has.

    Events that repeat another one come first, since they may be dated sooner themselves.
    """
    return [
        f"""
INSERT INTO m26.auction_event ({_NAMES})
SELECT {_again()}
FROM jsonb_array_elements({given} -> 'again') AS j
JOIN m26.auction_event AS e ON e.seq = (j ->> 1)::bigint""",  # noqa: S608 - columns of ours
        f"""
UPDATE m26.auction_event AS e SET observed_at = {_at(1)}
FROM jsonb_array_elements({given} -> 'sooner') AS j
WHERE e.seq = (j ->> 0)::bigint""",  # noqa: S608 - as above
        f"""
INSERT INTO m26.auction_moved (platform, auction_id)
SELECT j ->> 0, (j ->> 1)::bigint FROM jsonb_array_elements({given} -> 'moved') AS j""",  # noqa: S608 - as above
        f"""
UPDATE m26.auction AS a SET first_seen = {_at(2)}
FROM jsonb_array_elements({given} -> 'first_seen') AS j
WHERE a.auction_id = (j ->> 1)::bigint AND a.platform = j ->> 0 AND a.first_seen > {_at(2)}""",  # noqa: S608 - as above
    ]


_AMEND = _amend("$1::jsonb")
# Of a batch that is staged, with the same as JSON in a setting of the transaction.
STAGED = "\n".join(
    f"{each};" for each in _amend("(current_setting('m26.batch')::jsonb -> 'amends')")
)


def most(rows: int) -> int:
    """Events that so many observations can make: the state around a late one is told again."""
    return 2 * rows


def amends(delta: Delta) -> dict[str, Sequence[tuple[Any, ...]]]:
    """What observations change beside their events; mostly nothing."""
    given: dict[str, Sequence[tuple[Any, ...]]] = {
        "again": delta.again,
        "sooner": delta.sooner,
        "first_seen": delta.first_seen,
        "moved": delta.moved,
    }
    return given if any(given.values()) else {}


async def write(connection: PoolConnectionProxy[Any], delta: Delta) -> None:
    """Write what `amends` gives; the events and rows of `delta` are written."""
    if given := amends(delta):
        for statement in _AMEND:
            await connection.execute(statement, orjson.dumps(given).decode())
