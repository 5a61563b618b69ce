"""``m26 journal ls`` and ``export``: the journal's records counted, and written to a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26.cli.options import Options, within
from m26.cli.output import dump_json, print_rows, size, table, text
from m26.clock import iso
from m26.errors import ConfigError, StorageError, UsageError

if TYPE_CHECKING:
    from m26.cli.journal_documents import ExportView, JournalView, MissingView, SegmentView
    from m26.config import Loaded
    from m26.journal.reader import Holding, Reader

_SHOWN = ("file", "first", "last", "records", "missing", "size", "from", "to")
_TOLD = 20
"""Damaged places that a line of text is printed for; `--json` has them all."""


async def ls(*, options: Options = Options()) -> int:
    """Show what the journal keeps, segment by segment, and how far it is stored.

    Reads the headers of all records, not what is in them: `m26 journal export` does. It works
    while m26 runs.

    Example: ``m26 journal ls``

    Args:
        options: options of every command.
    """
    from anyio.to_thread import run_sync

    from m26.journal.damage import Ledger
    from m26.journal.reader import Reader

    loaded = options.load()
    folder = loaded.settings.home / "journal"
    reader = await run_sync(Reader, folder)
    segments = await run_sync(lambda: [_segment(each) for each in reader.holdings()])
    committed, problem = await _committed(loaded, reader)
    printed: JournalView = {
        "journal": reader.id,
        "database": reader.database,
        "folder": str(folder),
        "first": reader.first_pos,
        "next": reader.next_pos,
        "bytes": reader.size,
        "committed": committed,
        "problem": problem,
        "segments": segments,
        "damage": [
            {
                "journal": each.journal,
                "first": each.first,
                "last": each.last,
                "why": each.why,
                "found_at": iso(each.found_at),
            }
            for each in Ledger(folder).open()
        ],
    }
    if options.json:
        dump_json(printed)
    else:
        _print(printed)
    return 0


def export(
    file: Path,
    /,
    *,
    from_: Annotated[int | None, Parameter(name="--from"), within(0)] = None,
    to: Annotated[int | None, within(0)] = None,
    options: Options = Options(),
) -> int:
    """Write records of the journal to one file, which `m26 normalize` and `m26 replay` read.

    The file is a journal segment. The journal is only read; m26 may run meanwhile. What is damaged
    or gone is told, with exit code 6; all else is in the file.

    Example: ``m26 journal export pages.seg --from 1000 --to 1999``

    Args:
        file: where to; the file appears when it is whole, readable by you alone.
        from_: position of the first record; by default the oldest one that is kept.
        to: position of the last record; by default the newest one.
        options: options of every command.
    """
    from m26.journal.reader import Reader

    folder = options.load(logs=False).settings.home / "journal"
    if file.resolve().parent == folder.resolve():
        raise UsageError(
            f"{file} is in the journal's own folder, where it would be taken for a part of it",
            hint="Give a file in another folder.",
        )
    reader = Reader(folder)
    first = reader.first_pos if from_ is None else from_
    stop = reader.next_pos if to is None else min(to + 1, reader.next_pos)
    if not 0 <= first < stop:
        asked = (
            f"{'the oldest' if from_ is None else from_} to {'the newest' if to is None else to}"
        )
        raise UsageError(
            f"there is no record from {asked} in {folder}",
            hint=f"It keeps those from {reader.first_pos} to {reader.next_pos - 1}.",
        )
    printed = _export(reader, file, first, stop)
    if options.json:
        dump_json(printed)
    else:
        gone = printed["missing"]
        print_rows(
            [
                ("file", printed["file"]),
                ("records", f"{text(printed['records'])}, from {first} to {stop - 1}"),
                ("size", size(printed["bytes"])),
                *(
                    ("missing", f"{_places(d['first'], d['last'])}: {d['why']}")
                    for d in gone[:_TOLD]
                ),
                *([("missing", f"{len(gone) - _TOLD} further places")] if gone[_TOLD:] else []),
            ]
        )
    return StorageError.exit_code if printed["missing"] else 0


def _export(reader: Reader, file: Path, first: int, stop: int) -> ExportView:
    from uuid import UUID

    from m26.journal.segment import Identity, pack_head, pack_payload, pack_record
    from m26.offline.writers import open_target

    count = 0
    missing: list[MissingView] = []
    # Absolute: no name is standard output, which the document is for.
    with open_target(str(file.absolute()), private=True) as target:
        database = None if reader.database is None else UUID(reader.database)
        written = target.write(pack_head(Identity(UUID(reader.id), database), first))
        for record in reader.records(first):
            if record.pos >= stop:
                break
            if record.page is None:
                last = min(record.end, stop) - 1
                missing.append({"first": record.pos, "last": last, "why": record.detail})
            else:
                written += target.write(pack_record(record.pos, pack_payload(record.page)))
                count += 1
    return {
        "file": str(file),
        "journal": reader.id,
        "first": first,
        "last": stop - 1,
        "records": count,
        "bytes": written,
        "missing": missing,
    }


async def _committed(loaded: Loaded, reader: Reader) -> tuple[int | None, str]:
    """Records that are stored; None and why where that is not known."""
    from m26.app.servers import database_server
    from m26.store.connection import session_name
    from m26.store.database import opened

    if reader.database is None:
        return 0, ""
    try:
        name = session_name(loaded.settings.home)
        async with (
            database_server(loaded.settings) as server,
            opened(server.url, name=name) as store,
        ):
            return await store.cursor(reader.id), ""
    except (StorageError, ConfigError) as error:
        return None, error.message


def _segment(holding: Holding) -> SegmentView:
    times = holding.times
    return {
        "file": holding.path.name,
        "first": holding.first,
        "last": holding.stop - 1,
        "records": holding.records,
        "missing": holding.stop - holding.first - holding.records,
        "bytes": holding.size,
        "first_at": None if times is None else iso(times[0] / 1e6),
        "last_at": None if times is None else iso(times[1] / 1e6),
    }


def _print(journal: JournalView) -> None:
    committed = journal["committed"]
    ends = f"{text(journal['first'])} to {text(journal['next'] - 1)}"
    print_rows(
        [
            ("journal", journal["journal"]),
            ("records", ends if journal["next"] > journal["first"] else "none"),
            ("size", size(journal["bytes"])),
            (
                "stored",
                f"not known: {journal['problem']}"
                if committed is None
                else f"before {text(committed)}; {text(max(0, journal['next'] - committed))} wait",
            ),
            *(
                ("damaged", f"{_places(d['first'], d['last'])}: {d['why']}")
                for d in journal["damage"][:_TOLD]
            ),
        ]
    )
    rows = (
        [
            *(s["file"], s["first"], s["last"], s["records"], s["missing"]),
            *(size(s["bytes"]), s["first_at"], s["last_at"]),
        ]
        for s in journal["segments"]
    )
    table("", _SHOWN, rows)


def _places(first: int, last: int) -> str:
    return f"records {first} to {last}" if last > first else f"record {first}"
