"""The built-in simulator as a child process: started, kept running, ended with its parent."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import orjson
import structlog
from anyio.abc import Process

from m26 import children
from m26.errors import StorageError
from m26.home.files import open_private

_log = structlog.get_logger()

_START = 15.0
_STOP = 5.0


@dataclass(frozen=True, slots=True)
class Simulator:
    """A running simulator."""

    url: str
    capture: Path
    """A HAR file with its demo account, as an operator would capture it."""


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Simulator]:
    """Run the simulator with its world in ``home/sim`` for as long as the block lasts.

    Raises:
        StorageError: it does not start; its log says why.
    """
    folder = home / "sim"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = _free_port()
    process = await _start(folder, port)
    async with anyio.create_task_group() as group:
        group.start_soon(_keep, folder, port, process)
        try:
            yield Simulator(f"http://127.0.0.1:{port}", folder / "capture.har")
        finally:
            group.cancel_scope.cancel()


async def _keep(folder: Path, port: int, process: Process) -> None:
    try:
        while True:
            code = await process.wait()
            _log.warning("simulator.died", code=code)
            process = await _start(folder, port)
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)


async def _start(folder: Path, port: int) -> Process:
    state, log = folder / "sim.json", folder / "sim.log"
    command = ["sim", "--folder", str(folder), "--port", str(port), "--with-parent"]
    with open_private(log, "wb") as output:
        process = await children.ourselves(*command, home=folder.parent, output=output)
    try:
        with anyio.move_on_after(_START):
            while process.returncode is None:
                if _pid(state) == process.pid:
                    return process
                await anyio.sleep(0.02)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _end(process)
        raise
    await _end(process)
    last = log.read_text("utf-8", "replace").strip().splitlines()[-1:] or ["it says nothing"]
    raise StorageError(f"the simulator does not start: {last[0]}", hint=f"See {log}.")


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.terminate()
        with anyio.move_on_after(_STOP):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
    await process.aclose()


def _pid(state: Path) -> int | None:
    try:
        return int(orjson.loads(state.read_bytes())["pid"])
    except (OSError, ValueError, KeyError):
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
