"""``m26 db``: the database schema and its size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

from m26.cli.options import Options
from m26.cli.output import dump_json, print_rows, size, table

if TYPE_CHECKING:
    from m26.cli.documents import DatabaseView, MigrateView, MigrationView, TableSizeView


class Schema(Protocol):
    """What these commands need of the store."""

    async def migration_status(self) -> Sequence[Mapping[str, Any]]:
        """``name``, ``checksum`` and ``applied_at`` (None: pending) of each migration, in order."""

    async def migrate(self) -> Sequence[str]:
        """Apply what is pending; the names of what was applied."""

    async def sizes(self) -> Sequence[Mapping[str, Any]]:
        """``table``, ``rows`` (an estimate) and ``bytes`` of each table."""


async def migrate(*, options: Options = Options()) -> int:
    """Bring the schema up to date; a second time does nothing.

    Example: ``m26 db migrate``

    Args:
        options: options of every command.
    """
    from m26.app.servers import database

    async with database(options.load()) as store:
        await print_migrate(store, as_json=options.json)
    return 0


async def status(*, options: Options = Options()) -> int:
    """Show applied and pending migrations, and the size of each table.

    Example: ``m26 db status --json``

    Args:
        options: options of every command.
    """
    from m26.app.servers import database

    async with database(options.load()) as store:
        await print_status(store, as_json=options.json)
    return 0


async def print_migrate(store: Schema, *, as_json: bool) -> None:
    """`migrate` on an open store."""
    applied = list(await store.migrate())
    if as_json:
        printed: MigrateView = {"applied": applied}
        dump_json(printed)
    else:
        print_rows([("applied", name) for name in applied] or [("schema", "is up to date")])


async def print_status(store: Schema, *, as_json: bool) -> None:
    """`status` on an open store."""
    found: DatabaseView = {
        "migrations": [cast("MigrationView", row) for row in await store.migration_status()],
        "tables": [cast("TableSizeView", row) for row in await store.sizes()],
    }
    if as_json:
        dump_json(found)
        return
    table(
        "migrations",
        ("name", "applied"),
        (
            [row["name"], row["applied_at"] or "pending: m26 db migrate"]
            for row in found["migrations"]
        ),
    )
    table(
        "\ntables",
        ("table", "rows", "size"),
        ([row["table"], row["rows"], size(row["bytes"])] for row in found["tables"]),
    )
