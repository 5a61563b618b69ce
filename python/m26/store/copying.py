"""COPY: a buffer of rows in the database's own form in, rows of a table out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    from m26._native import CopyBuffer

_SLICE = 256 << 10  # one CopyData message; the driver waits for the socket between two


async def copy(
    connection: PoolConnectionProxy[Any],
    table: str,
    columns: Sequence[tuple[str, str]],
    buffer: CopyBuffer,
    schema: str = "m26",
) -> None:
    """Append the rows of `buffer`, whose columns are `columns`; nothing where it has none."""
    if buffer.rows:
        await connection.copy_to_table(
            table,
            schema_name=schema,
            columns=[name for name, _ in columns],
            source=_slices(buffer),
            format="binary",
        )


async def _slices(buffer: CopyBuffer) -> AsyncIterator[Any]:
    view = memoryview(buffer)
    for at in range(0, len(view), _SLICE):
        yield view[at : at + _SLICE]
