"""One server kept running: a description in, the server running for the length of a block out.

A command that finds nothing running starts the server, owns it and stops it at its end. A command
that finds the server of another one attaches. Two locks in the server's folder tell them apart:

- ``owner.lock`` is held by the command that owns the server and is gone with it, however it ends;
- ``data.lock`` is inherited by the server itself, so it stands while any process uses the data.

What a killed owner left running is adopted by the next command, or by one that was attached.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import structlog

from m26.children import UserArguments, serve
from m26.embedded.folders import take_back
from m26.embedded.process import POLL_SECONDS, Process, find
from m26.embedded.words import cause, failure, since
from m26.errors import M26Error, StorageError, remedy
from m26.home.files import open_private
from m26.home.lock import Lock

_BACKOFF_SECONDS = (0.1, 30.0)
_LOG_BYTES = 8 * 2**20

_log = structlog.get_logger("m26.embedded")

Report = Callable[[str], None]
"""Told why a server is away, and ``""`` when it is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start a server."""

    command: Sequence[str]
    user: UserArguments = field(default_factory=UserArguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What there is to know about a server in order to keep it running."""

    name: str
    folder: Path
    """Holds ``data``, the locks and the log."""
    prepare: Callable[[], Awaitable[Launch]]
    """Makes the data at first use and clears what a crash left."""
    answers: Callable[[], Awaitable[bool]]
    """Whether the server takes connections now."""
    programs: Sequence[str]
    marker: Sequence[str]
    """Arguments that only the server on this data has."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 30.0
    """Then it is killed."""
    start_seconds: float = 60.0
    adopt_seconds: float = 15.0
    """How long what a killed command left running may take to answer."""

    @property
    def log(self) -> Path:
        """Where the server's own words go."""
        return self.folder / "server.log"

    @property
    def owner(self) -> Lock:
        """Held by the command that started or adopted the server."""
        return Lock(self.folder / "owner.lock")

    @property
    def data(self) -> Path:
        """The server's own files."""
        return self.folder / "data"

    def process(self) -> Process | None:
        """The process that serves this data now, whoever started it."""
        if not self.data.exists():
            return None
        return find(self.programs, self.marker, owner=self.data.stat().st_uid)


def ignore(_reason: str) -> None:
    """The default: outages are not reported."""


@asynccontextmanager
async def supervised(server: Server, *, report: Report = ignore) -> AsyncIterator[None]:
    """Start, adopt or attach to `server`; inside the block it is running or being restarted.

    Raises:
        StorageError: it cannot be started; the message ends with its last words.
    """
    keeper = _Keeper(server, report)
    failure: Exception | None = None
    try:
        await keeper.begin()
        async with anyio.create_task_group() as group:
            group.start_soon(keeper.watch)
            try:
                yield
            except Exception as error:  # noqa: BLE001 - raised below, outside of the group
                failure = error  # the group would wrap it
            group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await keeper.end()
    if failure is not None:
        raise failure


async def stop_leftover(server: Server) -> int | None:
    """Stop what a killed command left running; its pid, None when there was nothing.

    Raises:
        StorageError: a living command owns it.
    """
    lock = server.owner
    process = server.process()
    if process is None:
        return None
    take_back(server.folder)
    if not lock.take():
        raise StorageError(
            f"{server.name} (pid {process.pid}) belongs to the running m26 of pid {lock.holder()}",
            hint="It ends with that command: stop it with Ctrl-C there, or by `kill` with its pid.",
        )
    try:
        await process.stop(server.stop_signal, seconds=server.stop_seconds)
    finally:
        lock.release()
    return process.pid


class _Keeper:
    """The life of one server as one command sees it."""

    def __init__(self, server: Server, report: Report) -> None:
        self._server = server
        self._report = report
        self._owner = server.owner
        self._data = Lock(server.folder / "data.lock")
        self._process: Process | None = None
        self._log_from = 0
        """Where in the log the words of the last start begin."""

    async def begin(self) -> None:
        """Own the server or attach to it: which of the two, the owner's lock decides."""
        deadline = anyio.current_time() + self._server.start_seconds
        while not self._take_ownership():
            if await self._server.answers():
                _log.debug("embedded.attached", server=self._server.name)
                return
            if anyio.current_time() > deadline:
                holder = self._owner.holder()
                raise self._failed(f"of the running m26 (pid {holder}) does not answer")
            await anyio.sleep(POLL_SECONDS)
        await self._bring_up()

    def _take_ownership(self) -> bool:
        try:
            return self._owner.take()
        except OSError as error:
            raise StorageError(
                f"cannot use {self._owner.path}: {error.strerror}",
                hint=remedy(str(error)),
            ) from None

    async def end(self) -> None:
        """Stop the server if it is ours, also when we are interrupted while adopting it."""
        server, process = self._server, self._process
        try:
            if process is None and self._owner.held and not self._data.take():
                process = server.process()
            if process is not None:
                await process.stop(server.stop_signal, seconds=server.stop_seconds)
                _log.info("embedded.stopped", server=server.name, pid=process.pid)
        finally:
            self._data.release()
            self._owner.release()

    async def watch(self) -> None:
        """Bring the server back when it dies, for as long as it takes; take over from an owner."""
        first, longest = _BACKOFF_SECONDS
        pause = first
        while True:
            await anyio.sleep(pause)
            try:
                await self._look_after()
            except (M26Error, OSError) as error:
                pause = min(pause * 2, longest)
                _log.error("embedded.start_failed", error=str(error), retry_seconds=pause)
                self._report(str(error))
            else:
                pause = first

    async def _look_after(self) -> None:
        if not self._take_ownership():
            return
        if self._process is not None and self._process.running():
            self._bound_log()
            return
        if self._process is not None:
            reason = f"the embedded {self._server.name} {self._process.how_it_ended()}"
            _log.error("embedded.died", server=self._server.name, reason=reason)
            self._report(reason)
            self._process = None
        await self._bring_up()
        self._report("")

    async def _bring_up(self) -> None:
        """Adopt what runs on the data, or start anew once nothing does."""
        server = self._server
        deadline = anyio.current_time() + server.adopt_seconds
        while not self._data.take():
            if process := server.process():
                if await self._adopted(process):
                    return
                await process.stop(server.stop_signal, seconds=server.stop_seconds)
                deadline = anyio.current_time() + server.adopt_seconds
            elif anyio.current_time() > deadline:
                raise self._failed("cannot use its data: a process unseen from here holds it")
            else:  # it is just starting, or its last children are ending
                await anyio.sleep(POLL_SECONDS)
        try:
            await self._start()
        finally:
            self._data.release()

    async def _adopted(self, process: Process) -> bool:
        with anyio.move_on_after(self._server.adopt_seconds):
            while process.running():
                if await self._server.answers():
                    self._process = process
                    _log.info("embedded.adopted", server=self._server.name, pid=process.pid)
                    return True
                await anyio.sleep(POLL_SECONDS)
        return False

    async def _start(self) -> None:
        if stranger := self._server.process():
            raise self._failed(f"cannot use its data: process {stranger.pid}, not of m26, does")
        try:
            launch = await self._server.prepare()
            self._bound_log()
            self._process = process = self._spawn(launch)
        except OSError as error:
            raise self._failed("cannot be started", str(error)) from None
        with anyio.move_on_after(self._server.start_seconds):
            while process.running():
                if await self._server.answers():
                    _log.info("embedded.started", server=self._server.name, pid=process.pid)
                    return
                await anyio.sleep(POLL_SECONDS / 5)
        await process.stop(self._server.stop_signal, seconds=self._server.stop_seconds)
        self._process = None
        words = since(self._server.log, self._log_from)
        raise self._failed(f"did not start: it {process.how_it_ended()}", cause(words), words)

    def _spawn(self, launch: Launch) -> Process:
        assert self._data.fd is not None  # the child's copy of it holds the lock from now on
        with open_private(self._server.log, "ab") as log:
            self._log_from = log.tell()
            child = serve(
                launch.command,
                folder=self._server.folder,
                output=log,
                keep=self._data.fd,
                user=launch.user,
            )
        return Process(child.pid, child=child)

    def _bound_log(self) -> None:
        """Keep the log's last part and the one before; the server appends, so it need not know."""
        log = self._server.log
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            with (
                suppress(OSError),  # on a full disk the space matters more than old words
                log.open("rb") as words,
                open_private(log.with_suffix(".log.1"), "wb") as before,
            ):
                shutil.copyfileobj(words, before)
            os.truncate(log, 0)

    def _failed(self, what: str, why: str = "", words: str = "") -> StorageError:
        server = self._server
        what = f"the embedded {server.name} {what}"
        return failure(what, why, words, folder=server.folder, log=server.log)
