"""What `m26 run` shows: snapshots in; a live table on a terminal, plain text and log lines else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio
import structlog
from anyio.abc import TaskGroup
from rich.console import Console
from rich.live import Live

from m26.cli.figures import figures, summary
from m26.cli.output import Rows, console, dump_json, grid
from m26.status.views import StatusView


class LiveView:
    """Figures while it runs, summary at the end: ``async with LiveView(snapshot):``.

    On a terminal the figures are a table that is redrawn; elsewhere they are one ``run.progress``
    log line every `log_every` seconds. With `as_json` stdout gets the last snapshot alone.
    A terminal that goes away ends the view, never the run.
    """

    def __init__(
        self,
        snapshot: Callable[[], StatusView],
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
                say(summary(self._snapshot()), self._out)

    async def _redraw(self) -> None:
        assert self._live is not None
        with contextlib.suppress(OSError), self._live as live:  # OSError: the terminal is gone
            while True:
                now = self._snapshot()
                picture = grid(figures(now), width=self._out.width, state=now["state"]["state"])
                live.update(picture, refresh=True)
                await anyio.sleep(self._redraw_every)

    async def _log(self) -> None:
        await log_progress(self._snapshot, every=self._log_every)


def say(rows: Rows, out: Console) -> None:
    """Print labels and texts, unless the terminal is gone: the run goes on without it."""
    with contextlib.suppress(OSError):
        out.print(grid(rows, width=out.width))


async def log_progress(snapshot: Callable[[], StatusView], *, every: float = 10.0) -> None:
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
