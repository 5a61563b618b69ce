"""``m26 normalize``: captured replies to rows in a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from m26.cli.options import Options, check_platform
from m26.errors import M26Error, ShapeError, UsageError

if TYPE_CHECKING:
    from m26.cli.documents import NormalizeView
    from m26.models import Page
    from m26.offline.convert import Reject, Summary
    from m26.upstream.profile import Profile


def normalize(
    files: Annotated[list[str], Parameter(allow_leading_hyphen=True)],
    /,
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"], allow_leading_hyphen=True)],
    platform: str | None = None,
    rejects: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    form: Annotated[Literal["ndjson", "csv"] | None, Parameter(name="--format")] = None,
    options: Options = Options(),
) -> None:
    """Read captured replies and write one row for each auction they show.

    Example: ``m26 normalize capture.har archive.ndjson.zst -o auctions.csv --platform ps5``

    Args:
        files: HAR, mitmproxy flows, NDJSON or single replies (also .gz, .zst), journals, folders;
            ``-`` is standard input.
        output: .ndjson, .jsonl or .csv, with .gz or .zst behind it to compress; ``-`` is standard
            output.
        platform: ps5, xbsx, pc, ps4, xone or sim, in place of what the captures say.
        rejects: where to write what gave no row (NDJSON); ``OUTPUT.rejects.ndjson`` by default.
        form: write this, whatever the extension says.
        options: options of every command.
    """
    from m26._native import Normalizer
    from m26.offline.convert import COLUMNS, Summary, convert
    from m26.offline.writers import STDOUT, format_of, open_rows
    from m26.upstream.profile import Profile

    settings = options.load({"platform": platform}, logs=False).settings
    profile = Profile.load(settings.profile or "madden26", home=settings.home)
    row_format = format_of(output, form)
    reject_file = rejects or (None if output == STDOUT else f"{output}.rejects.ndjson")
    _check(files, output, reject_file, settings.platform, profile)

    summary, failure = Summary(), None
    started = time.monotonic()
    with _reject_log(reject_file) as reject:
        try:
            with _progress(files) as on_read, open_rows(output, COLUMNS, form=row_format) as write:
                convert(
                    _pages(files, on_read, summary.problems.append),
                    Normalizer(per_copy=profile.card.per_copy, positions=profile.card.positions),
                    platform=lambda page: (
                        settings.platform or page.platform or profile.platforms[0]
                    ),
                    commands=[command.name for command in profile.commands.values()],
                    write=write,
                    reject=reject,
                    summary=summary,
                )
                if not summary.understood:
                    raise _nothing_read(summary, reject_file)
        except ShapeError as error:
            failure = error  # the rejects are kept: they show why
    summary.seconds = time.monotonic() - started
    if reject_file != rejects and reject_file is not None and not summary.rejects:
        Path(reject_file).unlink(missing_ok=True)  # of an earlier run with the same output
    if failure is not None:
        raise failure
    _tell(summary, reject_file, options, to_stderr=output == STDOUT)


def _check(
    files: list[str], output: str, rejects: str | None, platform: str | None, profile: Profile
) -> None:
    for file in files:  # a bare hyphen is standard input, so cyclopts lets hyphens through
        if file.startswith("-") and file != "-":
            raise UsageError(f"unknown option {file}", hint="`m26 normalize --help` lists them.")
    check_platform(platform, profile)
    if rejects == output:
        raise UsageError("rows and rejects go to the same place", hint="Give another --rejects.")
    target = Path(output)
    if target.is_file() and any(Path(file).exists() and target.samefile(file) for file in files):
        raise UsageError(f"{output} would be written over itself", hint="Give another --output.")


def _pages(
    files: list[str], on_read: Callable[[int], None], on_problem: Callable[[str], None]
) -> Iterator[tuple[str, int, Page]]:
    from m26.offline import read_captures

    for file in files:
        captured = read_captures(file, on_read=on_read, on_problem=on_problem)
        try:
            yield from ((file, number, page) for number, page in enumerate(captured))
        except ShapeError as error:
            on_problem(f"{error.message} ({error.hint})")  # the other files are still worth reading


@contextmanager
def _reject_log(target: str | None) -> Iterator[Callable[[Reject], None]]:
    """A function that writes rejects; the file is made for the first one."""
    import orjson

    from m26.offline.writers import open_target

    with ExitStack() as stack:
        file = None

        def write(reject: Reject) -> None:
            nonlocal file
            if target is not None:
                file = file or stack.enter_context(open_target(target))
                file.write(orjson.dumps(reject.document()) + b"\n")

        yield write


@contextmanager
def _progress(files: list[str]) -> Iterator[Callable[[int], None]]:
    """A bar of bytes read on a terminal's stderr; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import progress

    from m26.cli.output import console

    total = sum(_size(Path(file)) for file in files)
    bar = progress.Progress(
        progress.TextColumn("normalize"),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("normalize", total=total or None)
        yield lambda count: bar.advance(task, count)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(_size(child) for child in path.iterdir() if child.is_file())
    return path.stat().st_size if path.is_file() else 0


def _nothing_read(summary: Summary, reject_file: str | None) -> M26Error:
    hint = "Is it a capture of auction searches?"
    if summary.rejects:
        found = f"{reject_file} shows" if reject_file else "With --rejects FILE you see"
        hint = f"{hint} {found} what was found."
    if summary.refused:
        why = f"{summary.refused} of {summary.pages} replies are errors of the upstream"
        hint = "Capture again while the app shows auctions."
    elif summary.pages:
        reasons = ", ".join(f"{reason} {n}" for reason, n in summary.rejects.most_common(3))
        why = f"none of {summary.pages} replies is an auction list ({reasons})"
    elif summary.problems:
        why = summary.problems[0]
    else:
        why = "the capture holds no replies of the auction house"
    return ShapeError(f"not one row could be read: {why}", hint=hint)


def _tell(summary: Summary, rejects: str | None, options: Options, *, to_stderr: bool) -> None:
    from m26.cli.output import dump_json, say

    rate = round(summary.rows / summary.seconds) if summary.seconds else 0
    if options.json:
        document: NormalizeView = {
            "pages": summary.pages,
            "rows": summary.rows,
            "cards": summary.cards,
            "empty_pages": summary.empty,
            "refused_pages": summary.refused,
            "other_replies": summary.other,
            "rejects": dict(summary.rejects),
            "rejects_file": rejects if summary.rejects else None,
            "drift": dict(summary.drift),
            "problems": summary.problems,
            "seconds": round(summary.seconds, 3),
            "rows_per_second": rate,
        }
        dump_json(document, stream=sys.stderr if to_stderr else sys.stdout)
        return
    figures = ((summary.pages, "page"), (summary.rows, "row"), (summary.cards, "card"))
    counts = ", ".join(f"{count:,} {word}{'s' * (count != 1)}" for count, word in figures)
    lines = [f"{counts} in {summary.seconds:.2f} s ({rate:,} rows/s)"]
    if summary.refused or summary.other:
        lines.append(f"not data: {summary.refused} error replies, {summary.other} other commands")
    if summary.rejects:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in summary.rejects.items())
        lines.append(f"rejects: {reasons}" + (f" -> {rejects}" if rejects else ""))
    lines += [f"drift: {path} ({count:,})" for path, count in summary.drift.most_common(10)]
    lines += [f"not read: {problem}" for problem in summary.problems]
    say("\n".join(lines) + "\n", stderr=True)
