"""``m26 run``: the main job, with the operator's view of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import anyio
from cyclopts import Parameter

from m26 import descriptors, signals
from m26.cli.options import AllowHost, Options, seconds_of

if TYPE_CHECKING:
    from m26.app.opening import Opened
    from m26.config import Loaded

_FLAG = Parameter(negative="")


async def run(
    *,
    for_: Annotated[str | None, Parameter(name="--for")] = None,
    account: str | None = None,
    dry_run: Annotated[bool, _FLAG] = False,
    exit_on_stop: Annotated[bool, _FLAG] = False,
    allow_host: AllowHost = None,
    options: Options = Options(),
) -> int:
    """Poll the auction house, store every event once, publish it, show what happens.

    With no account in the vault it runs against the built-in simulator and says so; with no
    M26_POSTGRES__DSN and M26_REDIS__URL it starts its own servers.

    Example: ``m26 run --for 30s``

    Args:
        for_: end by itself after this long: 30s, 10m, 2h.
        account: collect for this account of the vault alone.
        dry_run: say what would be done; send nothing, write nothing.
        exit_on_stop: end with an error code at a STOP, in place of waiting for `m26 resume`.
        allow_host: a server that may have credentials though they are for others; it is remembered.
        options: options of every command.
    """
    seconds = None if for_ is None else seconds_of("--for", for_)
    loaded = options.load()
    if dry_run:
        from m26.cli.dry_run import show_plan

        show_plan(loaded, account=account, allow=allow_host or (), as_json=options.json)
        return 0
    if allow_host:
        from m26.app.accounts import admit_hosts

        admit_hosts(loaded.settings, allow_host, only=account)
    ends = exit_on_stop or seconds is not None
    return await _run(loaded, seconds, account=account, ends=ends, as_json=options.json)


async def _run(
    loaded: Loaded, seconds: float | None, *, account: str | None, ends: bool, as_json: bool
) -> int:
    from m26.app.run import running
    from m26.app.watchdog import watched
    from m26.cli.figures import banner
    from m26.cli.live import LiveView, say
    from m26.cli.output import console

    def tell(opened: Opened) -> None:
        if not as_json:
            say(banner(opened.setup, opened.assigned.accounts), console())

    descriptors.raise_limit()
    async with (
        watched(loaded.settings.watchdog),
        _signals() as signalled,
        signalled.beginning(),
        running(loaded, account=account, end_on_stop=ends, tell=tell) as run,
        LiveView(run.snapshot, as_json=as_json),
    ):
        signalled.open()
        with anyio.move_on_after(seconds):
            await signalled.event.wait()
        await run.finish()
    return signalled.code


class _Signalled:
    """The first signal that ends a run; a second one ends the process at once."""

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.code = 0
        self._begins = anyio.CancelScope()

    @asynccontextmanager
    async def beginning(self) -> AsyncIterator[None]:
        """What is still being opened is given up at a signal; what is `open` ends in order."""
        with self._begins:
            yield

    def open(self) -> None:
        """All is open: a signal no longer cancels."""
        self._begins = anyio.CancelScope()

    def came(self, number: int) -> None:
        """Take note of a signal."""
        if self.code:
            os._exit(self.code)  # asked twice: what is journaled is safe as it is
        self.code = 128 + number
        self.event.set()
        self._begins.cancel()


@asynccontextmanager
async def _signals() -> AsyncIterator[_Signalled]:
    signalled = _Signalled()

    async def listen() -> None:
        with anyio.open_signal_receiver(*signals.received()) as received:
            async for number in received:
                signalled.came(number)

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        yield signalled
        group.cancel_scope.cancel()
