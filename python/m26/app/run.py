"""The main path: open what is needed, connect the stages, and end them in order.

auth ─▶ collect ─Page─▶ journal ─▶ normalize ─Batch─▶ store ─▶ publish ─▶ web
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from anyio.to_thread import run_sync

from m26.app import servers
from m26.app.accounts import upstream
from m26.app.chores import chores
from m26.app.collectors import ask, collecting
from m26.app.correcting import correcting
from m26.app.ending import ending
from m26.app.endpoints import serving
from m26.app.opening import Opened, opening
from m26.app.process import Process, beside
from m26.app.publishing import publishing
from m26.app.questions import answering
from m26.app.rolling import rolling
from m26.app.storing import journaling, server_times, storing
from m26.auth.cache import TicketCache
from m26.clock import Clock
from m26.collect.keep import Keeper
from m26.config import Loaded
from m26.status.announce import announce
from m26.status.conditions import Status
from m26.status.telemetry import Telemetry
from m26.status.views import StatusView
from m26.store.database import Store
from m26.wake import Wake

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is under way."""

    snapshot: Callable[[], StatusView]
    finish: Callable[[], Awaitable[None]]
    """Stop asking; return when what was received is stored and published, or 30 s are over."""


@asynccontextmanager
async def running(
    loaded: Loaded,
    *,
    account: str | None = None,
    end_on_stop: bool = False,
    clock: Clock | None = None,
    tell: Callable[[Opened], None] = lambda _: None,
) -> AsyncIterator[Run]:
    """Everything of `m26 run` but the terminal; the block's end drains.

    Args:
        loaded: settings.
        account: collect for this one alone.
        end_on_stop: a STOP raises in place of waiting for `m26 resume`.
        clock: of everything that asks, in place of the machine's.
        tell: told what the run will use, before anything of it is started.

    Raises:
        M26Error: what the run cannot go on after; each kind has its exit code.
    """
    settings, clock = loaded.settings, clock or Clock()
    telemetry = Telemetry(Status(clock=clock.time))
    announce(telemetry.status, telemetry.metrics)
    process = Process(settings, clock, telemetry)
    journaled, committed = Wake(), Wake()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        opened = await enter(opening(settings, account=account))
        tell(opened)
        assigned = await enter(upstream(opened.assigned, settings, opened.vault))
        used = await enter(servers.both(settings, telemetry.status))
        patience = servers.Patience()
        store = await enter(
            servers.store(used.postgres.url, name=opened.session, patience=patience)
        )
        await _migrate(store, patience)
        journal = await enter(journaling(settings))
        relay = await enter(publishing(process, used.redis.url, store, committed=committed))
        stored = storing(process, assigned, journal, store, patience, journaled, committed)
        drain = await enter(stored)
        keeper = Keeper(
            journal,
            blocked=lambda: drain.blocked,
            wake=journaled,
            telemetry=telemetry,
            times=await run_sync(server_times, journal, clock),
        )
        cache = await enter(TicketCache(used.redis.url, vault=opened.vault))
        collectors = await enter(
            collecting(process, assigned, opened.vault, cache, keeper, end_on_stop=end_on_stop)
        )
        version, rolled = await patience(store.ping), await enter(rolling(process, assigned, store))
        prices = await enter(answering(used.postgres, opened.session, patience))
        observer = await enter(serving(process, opened, drain, collectors, rolled, prices, version))
        await enter(beside(partial(chores, store, collectors, telemetry.metrics)))
        asking = partial(ask, collectors)
        finish = await enter(ending(asking, drain=drain, relay=relay, status=telemetry.status))
        await enter(correcting(process, store, committed=committed))  # ends first: all is published
        yield Run(observer.snapshot, finish)


async def _migrate(store: Store, patience: servers.Patience) -> None:
    for migration in await patience(store.migrate):
        _log.info("schema.migrated", migration=migration)
