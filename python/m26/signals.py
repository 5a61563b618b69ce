"""How a command is asked to end: SIGINT, SIGTERM and SIGHUP, all three in the same order.

A command that is interrupted stops the servers it started. Only a handler makes that so: SIGTERM
and SIGHUP by default end a process where it stands. One that was ignored from the start (by
``nohup``, or in the background of a script) stays ignored.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_first: signal.Signals | None = None


def at_once() -> None:
    """From now on a signal ends the process without a word: nothing is begun yet."""
    for number in received():
        signal.signal(number, _exit)


def in_order() -> None:
    """From now on a signal interrupts the command, which ends what it began."""
    for number in received():
        interrupts = signal.default_int_handler if number == signal.SIGINT else _interrupt
        signal.signal(number, interrupts)


def received() -> list[signal.Signals]:
    """Those that end this command."""
    return [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]


def code() -> int:
    """Exit code of a command that was interrupted."""
    return 128 + (_first or signal.SIGINT)


@asynccontextmanager
async def interrupting(*numbers: signal.Signals) -> AsyncIterator[None]:
    """The first of these cancels the block, though Ctrl-C does not.

    Raises:
        KeyboardInterrupt: one came.
    """
    import anyio

    wanted = [number for number in numbers if number in received()]
    came = False

    async def listen() -> None:
        nonlocal came
        with anyio.open_signal_receiver(*wanted) as signals:
            async for number in signals:
                came = _note(number)
                group.cancel_scope.cancel()
                return

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        yield
        group.cancel_scope.cancel()
    if came:
        raise KeyboardInterrupt


def _exit(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C does: what handles it now, be it asyncio's that cancels the command's task."""
    if _first is not None:
        return  # asked twice: it is ending
    _note(number)
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)


def _note(number: int) -> bool:
    global _first  # noqa: PLW0603 - of the process, as signals are
    _first = _first or signal.Signals(number)
    return True
