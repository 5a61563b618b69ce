"""``m26 db``: the database schema, its size and how fast it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast

from m26.cli.options import Options
from m26.cli.output import Rows, dump_json, print_rows, size, table, text

if TYPE_CHECKING:
    from m26.cli.database_documents import DatabaseView, DiskView, MigrateView, MigrationView
    from m26.config import Settings
    from m26.store.sizes import Sizes

OLDER_DAYS = 400
"""What is older than a year and a month: this week can be held against the last season's."""


class Schema(Protocol):
    """What these commands need of the store."""

    async def migration_status(self) -> Sequence[Mapping[str, Any]]:
        """``name``, ``checksum`` and ``applied_at`` (None: pending) of each migration, in order."""

    async def migrate(self) -> Sequence[str]:
        """Apply what is pending; the names of what was applied."""

    async def sizes(self, older: timedelta) -> Sizes:
        """What tables take and how fast they grow, and what is older than that."""


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
    """Show applied and pending migrations, the size of each table, and what a day adds.

    It counts rows: of a large database that takes some seconds.

    Example: ``m26 db status --json``

    Args:
        options: options of every command.
    """
    from m26.app.servers import database

    loaded = options.load()
    async with database(loaded) as store:
        await print_status(store, free=_free(loaded.settings), as_json=options.json)
    return 0


def _free(settings: Settings) -> int | None:
    """Bytes that the disk of the embedded server has left; None: it is another server's."""
    import shutil

    if settings.postgres.dsn is not None:
        return None
    return shutil.disk_usage(settings.home / "postgres").free


async def print_migrate(store: Schema, *, as_json: bool) -> None:
    """`migrate` on an open store."""
    applied = list(await store.migrate())
    if as_json:
        printed: MigrateView = {"applied": applied}
        dump_json(printed)
    else:
        print_rows([("applied", name) for name in applied] or [("schema", "is up to date")])


async def print_status(store: Schema, *, free: int | None, as_json: bool) -> None:
    """`status` on an open store, whose disk has `free` bytes left."""
    migrations = [cast("MigrationView", row) for row in await store.migration_status()]
    pending = any(row["applied_at"] is None for row in migrations)
    sizes = None if pending else await store.sizes(timedelta(days=OLDER_DAYS))
    if as_json:
        dump_json(_document(migrations, sizes, free))
        return
    table(
        "migrations",
        ("name", "applied"),
        ([row["name"], row["applied_at"] or "pending: m26 db migrate"] for row in migrations),
    )
    if sizes is None:
        print_rows([("", ""), ("sizes", "are told once the schema is up to date")])
        return
    table(
        "\ntables",
        ("table", "rows", "size", "rows a day", "size a day"),
        (
            [t.table, t.rows, size(t.bytes), t.rows_per_day, _size(t.bytes_per_day)]
            for t in sizes.tables
        ),
    )
    print_rows([("", ""), *_growth(sizes, free)])


def _document(
    migrations: list[MigrationView], sizes: Sizes | None, free: int | None
) -> DatabaseView:
    return {
        "migrations": migrations,
        "tables": []
        if sizes is None
        else [
            {
                "table": t.table,
                "rows": t.rows,
                "bytes": t.bytes,
                "rows_per_day": t.rows_per_day,
                "bytes_per_day": t.bytes_per_day,
            }
            for t in sizes.tables
        ],
        "bytes": sizes.bytes if sizes else 0,
        "bytes_per_day": sizes.bytes_per_day if sizes else None,
        "measured_since": sizes.measured_since if sizes else None,
        "oldest_event": sizes.oldest_event if sizes else None,
        "oldest_moment": sizes.oldest_moment if sizes else None,
        "prunable": {
            "older_days": OLDER_DAYS,
            "bytes": sizes.prunable_bytes if sizes else 0,
        },
        "disk": _disk(sizes, free),
    }


def _disk(sizes: Sizes | None, free: int | None) -> DiskView:
    grown = sizes.bytes_per_day if sizes else None
    days = round(free / grown, 1) if free is not None and grown else None
    return {"free_bytes": free, "days_left": days}


def _growth(sizes: Sizes, free: int | None) -> Rows:
    disk = _disk(sizes, free)
    left = "not known here: the database is on another server"
    if disk["free_bytes"] is not None:
        days = disk["days_left"]
        at_this_pace = "" if days is None else f", for {days:,.0f} days at this pace"
        left = f"{size(disk['free_bytes'])} free{at_this_pace}"
    grown = "not known yet: less than an hour is stored"
    if sizes.bytes_per_day is not None:
        grown = f"{size(sizes.bytes_per_day)} a day, since {text(sizes.measured_since)}"
    return [
        ("in all", size(sizes.bytes)),
        ("grows by", grown),
        ("disk", left),
        ("oldest event", text(sizes.oldest_event)),
        ("can be asked since", text(sizes.oldest_moment or sizes.oldest_event)),
        (
            "prune frees",
            f"{size(sizes.prunable_bytes)} of events: m26 db prune --older {OLDER_DAYS}d",
        ),
    ]


def _size(count: int | None) -> str | None:
    return None if count is None else size(count)
