"""What `m26 run` shows: snapshots in; a live table on a terminal, plain text and log lines else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import anyio
import structlog
from anyio.abc import TaskGroup
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from m26.cli.output import console, dump_json, duration, size, text
from m26.runfile import unix
from m26.views import ConditionView, ServerView, Snapshot

_COLOR = {
    "collecting": "green",
    "starting": "cyan",
    "draining": "cyan",
    "backing_off": "yellow",
    "paused": "yellow",
    "storing_only": "red",
    "stopped": "bold red",
}
_NARROW = 30
_PASSING = ("budget left", "account", "lag", "running")
"""Rows that say nothing once the run is over."""
Rows = list[tuple[str, str]]


class LiveView:
    """Banner, figures while it runs, summary at the end: ``async with LiveView(snapshot):``.

    On a terminal the figures are a table that is redrawn; elsewhere they are one ``run.progress``
    log line every `log_every` seconds. With `as_json` stdout gets the last snapshot alone.
    A terminal that goes away ends the view, never the run.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        *,
        as_json: bool = False,
        out: Console | None = None,
        redraw_every: float = 0.5,
        log_every: float = 10.0,
    ) -> None:
        self._snapshot, self._as_json = snapshot, as_json
        self._out = out or console()
        self._redraw_every, self._log_every = redraw_every, log_every
        self._group: TaskGroup
        self._live: Live | None = None

    @property
    def _animated(self) -> bool:
        # FORCE_COLOR makes rich call a pipe a terminal: what counts is the file itself.
        return not self._as_json and self._out.file.isatty() and not self._out.is_dumb_terminal

    async def __aenter__(self) -> Self:
        if not self._as_json:
            self._say(banner(self._snapshot()))
        if self._animated:
            self._live = Live(
                console=self._out,
                auto_refresh=False,
                transient=True,
                redirect_stderr=sys.stderr.isatty(),  # log lines go above the table, not into it
                vertical_overflow="crop",
            )
        self._group = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._redraw if self._live else self._log)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        self._group.cancel_scope.cancel()
        try:
            # The block's own error goes on as it is; a task group would wrap it.
            if isinstance(error, anyio.get_cancelled_exc_class()):
                return await self._group.__aexit__(kind, error, trace)
            await self._group.__aexit__(None, None, None)
            return None
        finally:
            if self._as_json:
                dump_json(self._snapshot())
            else:
                self._say(summary(self._snapshot()))

    async def _redraw(self) -> None:
        assert self._live is not None
        with contextlib.suppress(OSError), self._live as live:  # OSError: the terminal is gone
            while True:
                now = self._snapshot()
                picture = _grid(figures(now), width=self._out.width, state=now["state"]["state"])
                live.update(picture, refresh=True)
                await anyio.sleep(self._redraw_every)

    async def _log(self) -> None:
        await log_progress(self._snapshot, every=self._log_every)

    def _say(self, rows: Rows) -> None:
        with contextlib.suppress(OSError):
            self._out.print(_grid(rows, width=self._out.width))


async def log_progress(snapshot: Callable[[], Snapshot], *, every: float = 10.0) -> None:
    """Log one ``run.progress`` line now and every so many seconds, until cancelled."""
    log = structlog.get_logger()
    while True:
        now = snapshot()
        log.info(
            "run.progress",
            state=now["state"]["state"],
            reason=now["state"]["reason"],
            requests=sum(now["requests"].values()),
            budget=now["budget"],
            auctions=now["auctions"],
            auctions_per_second=now["rate"]["auctions_per_second"],
            events=sum(now["events"].values()),
            lag_seconds=now["lag_seconds"],
            journal_backlog=now["journal"]["backlog"],
            auth_seconds_left=now["auth_seconds_left"],
        )
        await anyio.sleep(every)


def facts(now: Snapshot) -> Rows:
    """What this run uses."""
    accounts = ", ".join(f"{a['name']} ({a['platform']})" for a in now["accounts"]) or "none"
    source = "the built-in simulator; no account is used" if now["simulator"] else accounts
    return [
        ("source", source),
        ("profile", now["profile"]),
        ("PostgreSQL", _server(now["database"])),
        ("Redis", _server(now["redis"])),
        ("files", now["home"]),
        ("status", f"{now['url']}/api/v1/status"),
    ]


def banner(now: Snapshot) -> Rows:
    """What this run uses, and how to end it."""
    return [
        ("m26", now["versions"]["m26"]),
        *facts(now),
        ("stop", "Ctrl-C; what was received is stored first"),
        ("", ""),
    ]


def figures(now: Snapshot) -> Rows:
    """The figures, label and text; the same ones for the live table and ``m26 status``."""
    rate, auctions, requests = now["rate"], now["auctions"], now["requests"]
    lag, commits, journal = now["lag_seconds"], now["commits"], now["journal"]
    mean = "" if commits["mean_seconds"] is None else f", {_seconds(commits['mean_seconds'])} each"
    sent = f"{text(sum(requests.values()))} ({_pairs(requests)})"
    return [
        *_condition_rows(now["state"], unix(now["now"])),
        *(
            ("also", f"{other['source']} {other['state']}: {other['reason']}")
            for other in now["conditions"]
            if other["reason"] and other != now["state"]
        ),
        ("requests", f"{sent}; {rate['requests_per_minute']:.1f}/min"),
        ("budget left", _pairs(now["budget"], "unknown")),
        *_account_rows(now),
        ("auctions", f"{_pairs(auctions)}; {rate['auctions_per_second']:,.1f}/s"),
        ("events", f"{_pairs(now['events'])}; {rate['events_per_second']:,.1f}/s"),
        ("lag", ", ".join(f"{stage} {_seconds(value)}" for stage, value in lag.items())),
        ("commits", f"{text(commits['count'])}{mean}"),
        ("journal", f"{size(journal['bytes'])}, backlog {text(journal['backlog'])}"),
        (
            "auth left",
            ", ".join(
                f"{what.replace('_', ' ')} {duration(left)}"
                for what, left in now["auth_seconds_left"].items()
            )
            or "unknown",
        ),
        ("running", duration(now["uptime_seconds"])),
    ]


def summary(now: Snapshot) -> Rows:
    """What the run came to."""
    shown = [row for row in figures(_before_its_end(now)) if row[0] not in _PASSING]
    refused = now["rejects"]
    return [
        ("", ""),
        ("ran for", duration(now["uptime_seconds"])),
        *shown,
        *([("rejects", f"{_pairs(refused)}; see `m26 rejects ls`")] if refused else []),
        ("database", "open it with `m26 embedded psql`")
        if now["database"]["embedded"]
        else ("database", now["database"]["where"]),
    ]


def _before_its_end(now: Snapshot) -> Snapshot:
    """The snapshot without the word that the run is ending: how it was is what counts."""
    told = [each for each in now["conditions"] if each["state"] != "draining"]
    return {**now, "state": told[0], "conditions": told} if told else now


def print_rows(lines: Rows, *, state: str = "") -> None:
    """Labels and texts on stdout; a state colours its row."""
    if lines:
        out = console()
        out.print(_grid(lines, width=out.width, state=state))


def _grid(lines: Rows, *, width: int, state: str = "") -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    grid.add_column(overflow="fold")
    if width >= _NARROW:
        grid.add_column(overflow="fold")
    for label, value in lines:
        style = _COLOR.get(state, "") if label == "state" else ""
        cells = Text(label, style="dim"), Text(text(value), style=style)  # Text: no markup in it
        if width >= _NARROW:
            grid.add_row(*cells)
        else:  # too narrow for two columns: the text under its label
            grid.add_row(cells[0])
            grid.add_row(cells[1])
    return grid


def _condition_rows(state: ConditionView, now: float) -> Rows:
    why = f": {state['reason']}" if state["reason"] else ""
    lines = [("state", f"{state['state']}{why} (for {duration(now - unix(state['since']))})")]
    if state["advice"]:
        lines.append(("do", state["advice"]))
    if state["until"] is not None:
        lines.append(("next try", f"in {duration(unix(state['until']) - now)}"))
    return lines


def _account_rows(now: Snapshot) -> Rows:
    """One line for each account: how it is, what is left, when there is more."""
    at, rows = unix(now["now"]), []
    for account in now["accounts"]:
        parts = [account["state"]]
        if account["strategy"]:
            parts.append(account["strategy"])
        if account["budget"]:
            parts.append("left: " + _pairs(account["budget"]))
        if account["next_request_at"] is not None:
            parts.append(f"next in {duration(unix(account['next_request_at']) - at)}")
        for window, refills_at in account["refills_at"].items():
            if not account["budget"][window]:
                parts.append(f"the {window}'s refill in {duration(unix(refills_at) - at)}")
        if len(now["accounts"]) > 1 and account["auth_seconds_left"]:
            left = min(account["auth_seconds_left"].values())
            parts.append(f"auth {duration(left)}")
        rows.append(("account", f"{account['name']} ({account['platform']}): {', '.join(parts)}"))
    return rows


def _server(server: ServerView) -> str:
    kind = "embedded" if server["embedded"] else "given"
    return f"{kind} {server['version']}".rstrip() + f", {server['where']}"


def _pairs(figures: Mapping[str, int], nothing: str = "none") -> str:
    return ", ".join(f"{name} {text(figures[name])}" for name in figures) or nothing


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else duration(value)
