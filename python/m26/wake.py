"""A nudge between two tasks: «there is more», never what or how much."""

from __future__ import annotations

import anyio


class Wake:
    """Set by one task, awaited by another. Nudges that no task waited for count as one."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        """There is more."""
        self._event.set()

    async def wait(self, *, at_most: float) -> None:
        """Return at the next nudge, or one given since the last `wait`, or after `at_most` s."""
        with anyio.move_on_after(at_most):
            await self._event.wait()
        self._event = anyio.Event()
