"""What ``m26 journal ls`` and ``export`` print with ``--json``, as types."""

from __future__ import annotations

from typing import TypedDict

from m26.cli.documents import DamageView
from m26.models import Time


class SegmentView(TypedDict):
    """One file of a journal, by the headers of its records; times are null where one is gone."""

    file: str
    first: int
    last: int
    records: int
    missing: int
    bytes: int
    first_at: Time | None
    last_at: Time | None


class JournalView(TypedDict):
    """``m26 journal ls``: records from `first` on, before `next`.

    Those before `committed` are stored; it is null where the database does not say, and `problem`
    says why.
    """

    journal: str
    database: str | None
    folder: str
    first: int
    next: int
    bytes: int
    committed: int | None
    problem: str
    segments: list[SegmentView]
    damage: list[DamageView]


class MissingView(TypedDict):
    """Records that could not be written, from the first to the last."""

    first: int
    last: int
    why: str


class ExportView(TypedDict):
    """``m26 journal export``."""

    file: str
    journal: str
    first: int
    last: int
    records: int
    bytes: int
    missing: list[MissingView]
