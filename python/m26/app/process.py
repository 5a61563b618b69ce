"""What each stage of one process is given, and how it does its work beside the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import TaskGroup

from m26.clock import Clock
from m26.config import Settings
from m26.status.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Process:
    """What all stages of a run share."""

    settings: Settings
    clock: Clock
    """Of everything that asks."""
    telemetry: Telemetry


@asynccontextmanager
async def background() -> AsyncIterator[TaskGroup]:
    """A group of tasks that ends with the block; one that fails ends the block.

    The block's own error goes on as it is: a group a stage would wrap it as often as there are
    stages.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        try:
            yield group
        except Exception as error:  # noqa: BLE001 - raised below, outside of the group
            failure = error
        finally:
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def beside(*tasks: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run `tasks` in the `background` of the block."""
    async with background() as group:
        for task in tasks:
            group.start_soon(task)
        yield
