"""``m26 replay``: captured replies through the live path into the database, each file once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from anyio.to_thread import run_sync

from m26.cli.options import Options, check_platform
from m26.cli.output import dump_json, say, table
from m26.errors import ShapeError, StorageError, UsageError

if TYPE_CHECKING:
    from m26.models import Record
    from m26.store.database import Store
    from m26.upstream.profile import Profile

_BATCH = 16
_NOT_SHOWN = ("part", "events", "problems")


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What one file came to."""

    file: str
    part: str
    pages: int = 0
    already: int = 0
    """Pages that an earlier replay had stored."""
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    late: int = 0
    pruned: int = 0
    """Of auctions that `m26 db prune` has taken out: noted in `drift`, not stored again."""
    rejects: int = 0
    events: int = 0
    problems: list[str] = field(default_factory=list)
    """What of the file could not be read; all else of it is stored."""


class ReplayView(TypedDict):
    """``m26 replay``."""

    items: list[Replayed]


async def replay(
    files: list[Path], /, *, platform: str | None = None, options: Options = Options()
) -> int:
    """Store what captures show, by the same code and the same rules as live replies.

    A file is known by its content: replayed again it changes nothing, and one that was
    interrupted goes on where it stopped. What of a file is damaged is told, with exit code 7;
    what is whole is stored.

    Example: ``m26 replay capture.har --platform ps5``

    Args:
        files: HAR, mitmproxy flows, NDJSON or single replies (also .gz, .zst), journal segments,
            folders of them.
        platform: ps5, xbsx, pc, ps4, xone or sim, in place of what the captures say.
        options: options of every command.
    """
    from m26.app.accounts import chosen_profile
    from m26.app.servers import database
    from m26.offline import capture_files

    loaded = options.load({"platform": platform})
    settings = loaded.settings
    profile = chosen_profile(settings)
    check_platform(settings.platform, profile)
    chosen = [file for given in files for file in capture_files(given)]
    for file in chosen:
        if not file.is_file():
            raise UsageError(f"no such file: {file}", hint="Give captures, or journal segments.")
    async with database(loaded) as store:
        await store.migrate()
        results = [await _replay(store, file, profile, settings.platform) for file in chosen]
    if options.json:
        printed: ReplayView = {"items": results}
        dump_json(printed)
    else:
        columns = [each.name for each in fields(Replayed) if each.name not in _NOT_SHOWN]
        table("", columns, ([getattr(each, column) for column in columns] for each in results))
    stored = any(
        r.already or r.new or r.changed or r.unchanged or r.late or r.pruned for r in results
    )
    if not stored and any(result.rejects for result in results):
        raise ShapeError(
            "no page could be read; each is in the quarantine", hint="`m26 rejects ls` says why."
        )
    problems = [problem for result in results for problem in result.problems]
    for problem in problems:
        say(f"m26: not read: {problem}\n", stderr=True)
    return ShapeError.exit_code if problems else 0


async def _replay(store: Store, file: Path, profile: Profile, platform: str | None) -> Replayed:
    from m26.normalizer import Normalizer
    from m26.store import connection as connections
    from m26.store.batch import CursorMovedError
    from m26.store.load import Loader

    part = f"file:{await run_sync(_digest, file)}"
    result = Replayed(file=file.name, part=part)
    done = result.already = await store.cursor(part)
    loader = Loader(store, Normalizer(profile.card))
    records = _records(file, profile, platform, result.problems.append)
    while batch := await run_sync(lambda: list(islice(records, _BATCH))):
        result.pages += len(batch)
        batch = [record for record in batch if record.pos >= done]
        if not batch:
            continue
        try:
            stored = await loader.store(part, batch)
        except CursorMovedError as moved:  # another replay of the same file is under way
            done = moved.pos
            continue
        except connections.OUTAGES as error:
            raise StorageError(
                f"stored up to page {done} of {file}: {connections.plain(error)}",
                hint="Run the same command again: it goes on from there.",
            ) from error
        done = stored.pos
        result.new += stored.new
        result.changed += stored.changed
        result.unchanged += stored.unchanged
        result.late += stored.late
        result.pruned += stored.pruned
        result.rejects += stored.rejects.total()
        result.events += stored.kinds.total()
    return result


def _records(
    file: Path, profile: Profile, platform: str | None, on_problem: Callable[[str], None]
) -> Iterator[Record]:
    from m26.models import Record
    from m26.offline import read_captures
    from m26.servertime import Dating

    listing = {command.name for command in profile.commands.values()}
    dated = Dating()
    pages = (
        page
        for page in read_captures(file, on_problem=on_problem)
        if page.command in ("", *listing)
    )
    for pos, page in enumerate(pages):
        chosen = platform or page.platform or profile.platforms[0]
        yield Record(pos, dated(replace(page, platform=chosen)))


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
