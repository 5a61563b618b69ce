"""What questions about a market share: a command's options in, the answer shown, once or again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path  # noqa: F401 - cyclopts reads here what `Question` inherits
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from cyclopts import Parameter

from m26.cli.options import Options
from m26.cli.output import Rows, console, dump_json, group, show, text, write_bytes
from m26.cli.shown import moment
from m26.errors import UsageError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from m26.config import Loaded
    from m26.market.rows import AsOf
    from m26.store.prices import Prices

T = TypeVar("T")
Card = Annotated[str, Parameter(completer=lambda context: _candidates(context.incomplete))]
"""A word of a card's name, its overall, position or program; or its id."""
_MOST = 5
"""Candidates that are told."""
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600}


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Question(Options):
    """Taken by every question about a market."""

    platform: str | None = None
    """Whose market (M26_PLATFORM); default: the only one there is."""
    at: str | None = None
    """As it was known then: ISO 8601 (UTC unless it says otherwise) or seconds since 1970."""
    watch: str | None = None
    """Ask again every so often, as 5s or 1m, until Ctrl-C."""
    csv: Annotated[bool, Parameter(name="--csv", negative="")] = False
    """The rows as CSV."""

    @property
    def moment(self) -> datetime | None:
        """What `at` says."""
        return point_of(self.at)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below the names of their columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    title: str = ""
    spare: Sequence[str] = ()
    """Columns that a narrow terminal does without, in this order."""

    def within(self, width: int) -> Table:
        """With as many columns as there is room for."""
        columns, spare = list(self.columns), list(self.spare)
        widths = {
            name: max(len(text(cell)) for cell in (name, *(row[n] for row in self.rows)))
            for n, name in enumerate(columns)
        }
        while spare and sum(widths[name] + 2 for name in columns) - 2 > width:
            columns.remove(spare.pop(0))
        kept = [n for n, name in enumerate(self.columns) if name in columns]
        return Table(columns, [[row[n] for n in kept] for row in self.rows], self.title)


@dataclass(frozen=True, slots=True)
class Answer:
    """A document, its type, and how it is shown to people."""

    document: AsOf
    kind: Any
    tables: Sequence[Table] = ()
    facts: Rows = field(default_factory=list)
    notes: Sequence[str] = ()


Ask = Callable[["Prices", str], Awaitable[Answer]]


async def tell(ask: Ask, options: Question) -> int:
    """Ask, and show the answer; with `--watch` again and again."""
    import anyio

    every = None if options.watch is None else seconds(options.watch)
    if every is not None and options.at is not None:
        raise UsageError("what was known once does not change", hint="Leave --watch out.")
    if options.json and options.csv:
        raise UsageError("--json and --csv are two forms of one answer", hint="Choose one.")
    async with asking(options, options.platform) as (prices, platform):
        if every is not None and console().is_terminal and not (options.json or options.csv):
            await _redraw(ask, prices, platform, every)
        while True:
            _print(await ask(prices, platform), options)
            if every is None:
                return 0
            await anyio.sleep(every)


@asynccontextmanager
async def asking(
    options: Options, platform: str | None, *, loaded: Loaded | None = None
) -> AsyncIterator[tuple[Prices, str]]:
    """Who answers, and whose market is asked about."""
    from m26.app.questions import prices_of

    loaded = loaded or options.load({"platform": platform})
    async with prices_of(loaded) as (prices, profile):
        there, chosen = await prices.platforms(), loaded.settings.platform
        if chosen is None:
            if len(there) > 1:
                known = ", ".join(there)
                raise UsageError("there are several markets", hint=f"--platform: one of {known}.")
            chosen = there[0] if there else profile.platforms[0]
        elif chosen not in {*there, *profile.platforms, "sim"}:
            known = ", ".join(there or profile.platforms)
            raise UsageError(f"unknown platform {chosen!r}", hint=f"Known: {known}.")
        yield prices, chosen


def moment_of(text: str) -> float:
    """Seconds since 1970 of a moment as an operator writes it.

    Raises:
        UsageError: it is none.
    """
    try:
        if text.replace(".", "", 1).isdigit():
            return float(text)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        hint = "write it as 2026-09-03T12:00:00Z, or as seconds since 1970"
        raise UsageError(f"{text!r} is no moment: {error}", hint=hint) from error


def point_of(text: str | None) -> datetime | None:
    """The same as a time; None where nothing is written."""
    return None if text is None else datetime.fromtimestamp(moment_of(text), UTC)


def seconds(text: str) -> float:
    """A span of time as an operator writes it.

    Raises:
        UsageError: it is none, or none that has a length.
    """
    unit = next((u for u in _UNITS if text.endswith(u) and text[: -len(u)][-1:].isdigit()), "")
    try:
        found = float(text.removesuffix(unit)) * _UNITS.get(unit, 1)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise UsageError(f"{text!r} is no span of time", hint="Write it as 500ms, 5s, 1m or 2h.")
    return found


def there(found: T | None, options: Question) -> T:
    """What is said of a card that there is.

    Raises:
        UsageError: it was not known then.
    """
    if found is None:
        raise UsageError(f"nothing was seen of it until {options.at}", hint="Take a later --at.")
    return found


async def card_of(prices: Prices, platform: str, words: Sequence[str]) -> int:
    """The one card that is meant.

    Raises:
        UsageError: none is, or several are; with those that may be.
    """
    text = " ".join(words)
    found = await prices.find(text, platform)
    exact = [card for card in found if card["exact"]]
    if len(exact) == 1:
        return exact[0]["card_id"]
    shown = "; ".join(named(card) for card in found[:_MOST])
    more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
    if exact:
        hint = f"Add its overall, position or program, or take its id: {shown}{more}."
        raise UsageError(f"{len(exact)} cards of {platform} may be {text!r}", hint=hint)
    hint = f"Did you mean {shown}{more}?" if found else "`m26 market floor` lists them."
    raise UsageError(f"no card of {platform} is called {text!r}", hint=hint)


def named(card: Any) -> str:  # noqa: ANN401 - of several types that all have these
    """A card as people know it, with its id."""
    parts = (card["name"], card["overall"], card["position"], card["program"])
    return f"{' '.join(str(part) for part in parts if part is not None)} ({card['card_id']})"


def _print(answer: Answer, options: Question) -> None:
    if options.json:
        dump_json(answer.document)
    elif options.csv:
        from m26.web.media import CSV, FORMS

        write_bytes(FORMS[CSV](answer.document, answer.kind))
    else:
        show(picture(answer))


def picture(answer: Answer) -> RenderableType:
    """The answer for people: facts, tables, and what they hold for."""
    filled = [table for table in answer.tables if table.rows]
    fitting = [table.within(console().width) for table in filled]
    notes = list(answer.notes)
    if any(len(a.columns) < len(b.columns) for a, b in zip(fitting, filled, strict=True)):
        notes.append("a wider terminal shows more columns, --csv all")
    shown = [(table.title, table.columns, table.rows) for table in fitting]
    return group(answer.facts, shown, [*notes, _holds_for(answer.document)])


def _holds_for(document: AsOf) -> str:
    if document["market_time"] is None:
        return f"{document['platform']}: nothing was rolled up yet; `m26 run` does it"
    building = "" if document["building"] is None else f"; building, {document['building']} %"
    return (
        f"{document['platform']} at {moment(document['market_time'])} (market time),"
        f" up to event {document['seq']:,}{building}"
    )


async def _redraw(ask: Ask, prices: Prices, platform: str, every: float) -> None:
    """Until Ctrl-C."""
    import anyio
    from rich.live import Live

    out = console()
    with Live(console=out, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            live.update(picture(await ask(prices, platform)), refresh=True)
            await anyio.sleep(every)


def _candidates(begun: str) -> list[tuple[str, str]]:
    """Names for the shell to choose from, with what else is known of their cards."""
    import anyio

    return anyio.run(_complete, begun)


async def _complete(begun: str) -> list[tuple[str, str]]:
    from m26.app.questions import is_up

    loaded = Options().load()
    if not is_up(loaded.settings):  # nobody waits for a server at the touch of a key
        return []
    async with asking(Options(), None, loaded=loaded) as (prices, platform):
        found = await prices.find(begun, platform) if begun.strip() else []
    return [
        (f"{rest} {card['overall']}", f"{card['position']} {card['program']}")
        for card in found
        if card["exact"] and (rest := _go_on(begun, card["name"] or ""))
    ]


def _go_on(begun: str, name: str) -> str:
    """A name from the word on that begins so, with what was typed as it was: shells compare it."""
    for at in (0, *(n + 1 for n, letter in enumerate(name) if letter == " ")):
        if name[at:].casefold().startswith(begun.casefold()):
            return begun + name[at + len(begun) :]
    return ""
