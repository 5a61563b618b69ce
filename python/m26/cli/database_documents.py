"""What ``m26 db`` prints with ``--json``, as types."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict


class MigrationView(TypedDict):
    """One shipped migration; it is pending where it was not applied."""

    name: str
    checksum: str
    applied_at: datetime | None


class TableSizeView(TypedDict):
    """One table; what it grows by in a day is null where it does not grow with time."""

    table: str
    rows: int
    bytes: int
    rows_per_day: int | None
    bytes_per_day: int | None


class PrunableView(TypedDict):
    """Partitions of events that are older than so many days."""

    older_days: int
    bytes: int


class DiskView(TypedDict):
    """The disk of the embedded server; null where the database is another one."""

    free_bytes: int | None
    days_left: float | None


class MigrateView(TypedDict):
    """``m26 db migrate``."""

    applied: list[str]


class DatabaseView(TypedDict):
    """``m26 db status``."""

    migrations: list[MigrationView]
    tables: list[TableSizeView]
    bytes: int
    bytes_per_day: int | None
    measured_since: datetime | None
    oldest_event: datetime | None
    oldest_moment: datetime | None
    prunable: PrunableView
    disk: DiskView


class GoingView(TypedDict):
    """What goes of a table: bytes that the disk has back, or that later rows take."""

    table: str
    rows: int
    bytes: int
    to_disk: bool


class StaysView(TypedDict):
    """Events that stay, the oldest of them, and when it may go."""

    events: int
    since: datetime | None
    next_at: datetime | None


class PruneView(TypedDict):
    """``m26 db prune``."""

    applied: bool
    older_than: datetime | None
    final_before: datetime | None
    last_seq: int
    first: datetime | None
    last: datetime | None
    going: list[GoingView]
    final_rows: int
    stays: StaysView
    holds: list[str]
    unfinished: bool
