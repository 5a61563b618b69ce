"""The HTTP endpoints of a run, and when it counts as ready."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from m26.app import alarms
from m26.app.accounts import due_seconds
from m26.app.collectors import Collector
from m26.app.opening import Opened
from m26.app.process import Process, background
from m26.home.runfile import announced
from m26.status.conditions import State
from m26.status.snapshot import Observer
from m26.status.views import RollupsView, StepView
from m26.store.drain import Drain
from m26.store.prices import Prices
from m26.web import guard
from m26.web.app import create_app
from m26.web.server import serve


@asynccontextmanager
async def serving(
    process: Process,
    opened: Opened,
    drain: Drain,
    collectors: Sequence[Collector],
    figures: Callable[[], tuple[RollupsView, StepView]],
    prices: Prices,
    database_version: str,
) -> AsyncIterator[Observer]:
    """Show how the run is, over HTTP and to the other commands of the home.

    Raises:
        StorageError: ``run.json`` cannot be written.
    """
    settings, telemetry, clock = process.settings, process.telemetry, process.clock
    setup = opened.setup
    observer = Observer(
        metrics=telemetry.metrics,
        status=telemetry.status,
        setup={**setup, "database": {**setup["database"], "version": database_version}},
        backlog=lambda: drain.backlog,
        accounts=lambda: [each.view(telemetry.status) for each in collectors],
        markets=lambda: [each.view for each in dict.fromkeys(c.market for c in collectors)],
        prices=figures,
        now=clock.time,
    )
    due = due_seconds(opened.assigned.profile, settings, clock)
    web = settings.web
    app = create_app(
        metrics=telemetry.metrics,
        snapshot=observer.snapshot,
        ready=partial(_not_ready, observer, drain, due),
        prices=prices,
        token=web.token.get_secret_value() if web.token else None,
        hosts=guard.allowed_hosts(web),
    )
    async with background() as group:
        await group.start(serve, app, opened.listener)
        with announced(settings.home, url=setup["url"]):
            yield observer


def _not_ready(observer: Observer, drain: Drain, due: float) -> list[str]:
    state = observer.snapshot()["state"]
    reasons = []
    if state["state"] != State.COLLECTING:
        reasons.append(f"{state['state']}: {state['reason']}")
    if not drain.stored_at:
        reasons.append("no page was stored yet")
    elif (age := time.monotonic() - drain.stored_at) > due:
        reasons.append(f"the last page was stored {age:.0f} s ago; one is due every {due:.0f} s")
    if backlog := alarms.backlog(drain, due):
        reasons.append(backlog)
    return reasons
