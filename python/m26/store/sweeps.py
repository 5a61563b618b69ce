"""Sweep rows: opened by a sweep's first page, counted up by each, closed by its end record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from m26.clock import at_micros
from m26.models import SWEEP_END, Page

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_COUNTED = ("seen", "new", "changed", "late")
_FACTS = ("pages_asked", "pages_answered", "truncated", "complete", "why")

_ADD = """\
ON CONFLICT (platform, started_at) DO UPDATE SET
    pages_answered = s.pages_answered + excluded.pages_answered,
    seen = s.seen + excluded.seen,
    new = s.new + excluded.new,
    changed = s.changed + excluded.changed,
    late = s.late + excluded.late"""
_END = """\
ON CONFLICT (platform, started_at) DO UPDATE SET
    pages_asked = excluded.pages_asked,
    pages_answered = excluded.pages_answered,
    truncated = excluded.truncated,
    complete = excluded.complete,
    why = excluded.why,
    finished_at = excluded.finished_at"""
_COUNT = f"""
INSERT INTO m26.sweep AS s (platform, query, started_at, pages_answered, seen, new, changed, late)
VALUES ($1, $2::jsonb - '{{offset,count}}'::text[], $3, $4, $5, $6, $7, $8)
{_ADD}"""  # noqa: S608 - made of constants
_CLOSE = f"""
INSERT INTO m26.sweep AS s (
    platform, query, started_at, pages_asked, pages_answered, truncated, complete, why, finished_at)
VALUES ($1, $2::jsonb, $3, $4, $5, $6, $7, $8, $9)
{_END}"""  # noqa: S608 - made of constants


# The same of a batch that is staged, with the rows as JSON in a setting of the transaction.
COUNT_STAGED = f"""
INSERT INTO m26.sweep AS s (platform, query, started_at, pages_answered, seen, new, changed, late)
SELECT platform, query::jsonb - '{{offset,count}}'::text[], started_at,
    pages_answered, seen, new, changed, late
FROM jsonb_to_recordset(current_setting('m26.batch')::jsonb -> 'counted') AS r (
    platform text, query text, started_at timestamptz,
    pages_answered int, seen int, new int, changed int, late int)
{_ADD}"""  # noqa: S608 - made of constants
CLOSE_STAGED = f"""
INSERT INTO m26.sweep AS s (
    platform, query, started_at, pages_asked, pages_answered, truncated, complete, why, finished_at)
SELECT platform, query::jsonb, started_at,
    pages_asked, pages_answered, truncated, complete, why, finished_at
FROM jsonb_to_recordset(current_setting('m26.batch')::jsonb -> 'closed') AS r (
    platform text, query text, started_at timestamptz, pages_asked int, pages_answered int,
    truncated boolean, complete boolean, why text, finished_at timestamptz)
{_END}"""  # noqa: S608 - made of constants

Key = tuple[str, int]
"""Platform, and start of the sweep in microseconds."""
Row = dict[str, Any]
"""A row to be, by column; the query is JSON as it was journaled."""


async def write(
    connection: PoolConnectionProxy[Any], pages: Iterable[Page], counts: Mapping[Key, Counter[str]]
) -> None:
    """Count a batch's pages into their sweeps, and close the sweeps that ended in it.

    Args:
        connection: in the batch's transaction.
        pages: all pages of the batch, in order, end records among them.
        counts: ``seen``, ``new``, ``changed`` and ``late`` auctions of each sweep in this batch.
    """
    counted, closed = rows(pages, counts)
    for row in counted:
        await connection.execute(_COUNT, *row.values())
    for row in closed:
        await connection.execute(_CLOSE, *row.values())


def rows(pages: Iterable[Page], counts: Mapping[Key, Counter[str]]) -> tuple[list[Row], list[Row]]:
    """What `write` counts and what it closes, one row a sweep; columns in the statements' order."""
    in_sweeps = [page for page in pages if page.sweep]
    answered: dict[Key, list[Page]] = {}
    ended: dict[Key, Page] = {}
    for page in in_sweeps:
        key = (page.platform, page.sweep)
        if page.command == SWEEP_END:
            ended[key] = page
        else:
            answered.setdefault(key, []).append(page)
    counted = [
        {
            "platform": platform,
            "query": of_sweep[0].query,
            "started_at": at_micros(started),
            "pages_answered": len(of_sweep),
            **{name: counts.get((platform, started), Counter())[name] for name in _COUNTED},
        }
        for (platform, started), of_sweep in answered.items()
    ]
    closed = []
    for (platform, started), page in ended.items():
        facts = orjson.loads(page.body)
        row = {"platform": platform, "query": page.query, "started_at": at_micros(started)}
        row |= {name: facts[name] for name in _FACTS}
        closed.append({**row, "finished_at": at_micros(facts["finished_at"])})
    return counted, closed
