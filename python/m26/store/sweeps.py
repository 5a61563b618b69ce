"""Sweep rows: opened by a sweep's first page, counted up by each, closed by its end record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from m26.models import SWEEP_END, Page

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_COUNT = """
INSERT INTO m26.sweep AS s (platform, query, started_at, pages_answered, seen, new, changed)
VALUES ($1, $2::jsonb - '{offset,count}'::text[], $3, $4, $5, $6, $7)
ON CONFLICT (platform, started_at) DO UPDATE SET
    pages_answered = s.pages_answered + excluded.pages_answered,
    seen = s.seen + excluded.seen,
    new = s.new + excluded.new,
    changed = s.changed + excluded.changed"""
_CLOSE = """
INSERT INTO m26.sweep AS s (
    platform, query, started_at, pages_asked, pages_answered, truncated, complete, why, finished_at)
VALUES ($1, $2::jsonb, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (platform, started_at) DO UPDATE SET
    pages_asked = excluded.pages_asked,
    pages_answered = excluded.pages_answered,
    truncated = excluded.truncated,
    complete = excluded.complete,
    why = excluded.why,
    finished_at = excluded.finished_at"""

Key = tuple[str, int]
"""Platform, and start of the sweep in microseconds."""


async def write(
    connection: PoolConnectionProxy[Any], pages: Iterable[Page], counts: Mapping[Key, Counter[str]]
) -> None:
    """Count a batch's pages into their sweeps, and close the sweeps that ended in it.

    Args:
        connection: in the batch's transaction.
        pages: all pages of the batch, in order, end records among them.
        counts: ``seen``, ``new`` and ``changed`` auctions of each sweep in this batch.
    """
    in_sweeps = [page for page in pages if page.sweep]
    answered: dict[Key, list[Page]] = {}
    for page in in_sweeps:
        if page.command != SWEEP_END:
            answered.setdefault((page.platform, page.sweep), []).append(page)
    for (platform, started), of_sweep in answered.items():
        found = counts.get((platform, started), Counter())
        await connection.execute(
            _COUNT,
            platform,
            of_sweep[0].query,
            _time(started),
            len(of_sweep),
            found["seen"],
            found["new"],
            found["changed"],
        )
    for page in in_sweeps:
        if page.command == SWEEP_END:
            facts = orjson.loads(page.body)
            await connection.execute(
                _CLOSE,
                page.platform,
                page.query,
                _time(page.sweep),
                facts["pages_asked"],
                facts["pages_answered"],
                facts["truncated"],
                facts["complete"],
                facts["why"],
                _time(facts["finished_at"]),
            )


def _time(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
