"""The main path: open what is needed, connect the stages, and end them in order.

auth ─▶ collect ─Page─▶ journal ─▶ normalize ─Batch─▶ store ─▶ publish ─▶ web
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anyio
import structlog
from anyio.to_thread import run_sync

from m26.app import servers
from m26.app.accounts import Upstream, upstream
from m26.app.collectors import Collector, collector, gauge
from m26.app.ending import Ending
from m26.app.endpoints import serve_health
from m26.auth.cache import TicketCache
from m26.auth.vault import Vault
from m26.clock import Clock
from m26.collect import sweep
from m26.collect.keep import Keeper
from m26.config import Loaded, Settings
from m26.errors import StorageError
from m26.home import runfile
from m26.home.lock import HomeLock
from m26.journal import Journal
from m26.limits.halt import Halt
from m26.normalizer import Normalizer
from m26.publish.client import connect as connect_redis
from m26.publish.relay import Relay
from m26.status import snapshot
from m26.status.announce import announce
from m26.status.conditions import State, Status
from m26.status.metrics import Metrics
from m26.status.views import StatusView
from m26.store.database import Store
from m26.store.drain import Drain
from m26.upstream.profile import Paging
from m26.wake import Wake
from m26.web import guard

_log = structlog.get_logger()
_FOLD_EVERY = 600.0
_GAUGES_EVERY = 1.0


@dataclass(slots=True)
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
) -> AsyncIterator[Run]:
    """Everything of `m26 run` but the terminal; the block's end drains.

    Args:
        loaded: settings.
        account: collect for this one alone.
        end_on_stop: a STOP raises in place of waiting for `m26 resume`.
        clock: of everything that asks, in place of the machine's.

    Raises:
        M26Error: what the run cannot go on after; each kind has its exit code.
    """
    settings, clock = loaded.settings, clock or Clock()
    guard.check_binding(settings.web)
    status, metrics = Status(clock=clock.time), Metrics()
    announce(status, metrics)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        stack.enter_context(HomeLock.acquire(settings.home))
        vault = Vault.open(settings.home, settings.vault)
        up = await enter(upstream(settings, vault, only=account))
        postgres = await enter(
            servers.database_server(settings, report=partial(_away, status, "postgres"))
        )
        redis_server = await enter(
            servers.redis_server(settings, report=partial(_away, status, "redis"))
        )
        store = await enter(servers.store(postgres.url))
        for name in await store.migrate():
            _log.info("schema.migrated", migration=name)
        journal = stack.enter_context(await run_sync(_journal, settings))
        redis = connect_redis(redis_server.url)
        stack.push_async_callback(redis.aclose)
        cache = await enter(TicketCache(redis_server.url, vault=vault))

        journaled, committed = Wake(), Wake()
        drain = Drain(
            journal,
            store,
            normalizer=lambda: Normalizer(up.profile.card),
            wake=journaled,
            committed=committed.set,
            status=status,
            metrics=metrics,
        )
        await drain.open()
        relay = Relay(
            redis,
            store,
            maxlen=settings.redis.stream_maxlen,
            wake=committed,
            status=status,
            metrics=metrics,
        )
        keeper = Keeper(
            journal, blocked=lambda: drain.blocked, wake=journaled, status=status, metrics=metrics
        )
        halt = Halt(
            settings.home,
            status,
            ends=end_on_stop,
            accounts=(each.name for each in up.accounts),
            clock=clock.time,
        )
        collectors = [
            await enter(
                collector(
                    each,
                    up=up,
                    settings=settings,
                    vault=vault,
                    cache=cache,
                    keeper=keeper,
                    halt=halt,
                    status=status,
                    metrics=metrics,
                    clock=clock,
                )
            )
            for each in up.accounts
        ]

        observer = snapshot.Observer(
            metrics=metrics,
            status=status,
            setup=_setup(settings, up, await store.ping(), postgres, redis_server),
            backlog=lambda: drain.backlog,
            accounts=lambda: [each.view(status) for each in collectors],
            now=clock.time,
        )
        group = await enter(anyio.create_task_group())
        stack.callback(group.cancel_scope.cancel)
        url = await group.start(
            partial(
                serve_health,
                settings.web,
                observer,
                metrics,
                stored_at=lambda: drain.stored_at,
                due=30 + 3 * 86_400 / up.budget(settings).per_day / clock.speed,
            )
        )
        observer.served_at(url)
        stack.enter_context(runfile.announced(settings.home, url=url))
        ending = Ending(drain, relay, status)
        group.start_soon(ending.store)
        group.start_soon(relay.run)
        group.start_soon(halt.watch)
        group.start_soon(_housekeeping, store, collectors, metrics)
        try:
            with ending.whole:
                group.start_soon(ending.ask, partial(_collect, collectors, up.profile.paging))
                yield Run(observer.snapshot, ending.finish)
        finally:
            with anyio.CancelScope(shield=True):
                await ending.finish()
        if ending.failure is not None:
            raise ending.failure


async def _collect(collectors: list[Collector], paging: Paging) -> None:
    async with anyio.create_task_group() as group:
        for each in collectors:
            group.start_soon(sweep.collect, each.exchange, paging)


async def _housekeeping(store: Store, collectors: list[Collector], metrics: Metrics) -> None:
    folded = time.monotonic()
    while True:
        gauge(collectors, metrics)
        if time.monotonic() - folded > _FOLD_EVERY:
            folded = time.monotonic()
            with contextlib.suppress(StorageError):  # the drain tells of it; next time will do
                await store.fold_sightings()
        await anyio.sleep(_GAUGES_EVERY)


def _away(status: Status, source: str, reason: str) -> None:
    if reason:
        advice = "The embedded server is being restarted; its log is in the home."
        status.report(source, State.COLLECTING, reason=f"{source}_away: {reason}", advice=advice)
    else:
        status.report(source, State.COLLECTING)


def _journal(settings: Settings) -> contextlib.closing[Journal]:
    keep_bytes = settings.journal.keep_bytes
    return contextlib.closing(Journal.open(settings.home / "journal", keep_bytes=keep_bytes))


def _setup(
    settings: Settings,
    up: Upstream,
    version: str,
    postgres: servers.Address,
    redis: servers.Address,
) -> snapshot.Setup:
    return snapshot.Setup(
        simulator=up.is_simulator,
        profile=up.profile.name,
        home=settings.home,
        database={**postgres.shown, "version": version},
        redis=redis.shown,
    )
