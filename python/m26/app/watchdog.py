"""Beats of the loop in; a process that ends when there are none, saying where it stands, out."""

from __future__ import annotations

import contextlib
import faulthandler
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import anyio

from m26._native import Watchdog
from m26.app.process import beside
from m26.config import service_manager

_BEAT = 1.0
"""Seconds, as the watchdog's ticks."""
_STDERR = 2


@asynccontextmanager
async def watched(seconds: int) -> AsyncIterator[None]:
    """End the process by SIGABRT when the loop does not go on for so long, as seconds are counted.

    Then stderr says where each thread stands: files, lines and functions, no values. A service
    manager that asked for it is told of each beat, and does the same where even this fails.
    """
    faulthandler.enable(file=_STDERR)
    async with beside(partial(_beat, Watchdog(ticks=seconds))):
        yield


async def _beat(watchdog: Watchdog) -> None:
    address = service_manager()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
            while True:
                watchdog.beat()
                if address is not None:
                    with contextlib.suppress(OSError):  # it does not listen: the next beat will do
                        manager.sendto(b"WATCHDOG=1", address)
                await anyio.sleep(_BEAT)
    finally:
        watchdog.close()
