"""The HTTP endpoints of a run, and when it counts as ready."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from anyio.abc import TaskStatus

from m26.config import Web
from m26.status.conditions import State
from m26.status.metrics import Metrics
from m26.status.snapshot import Observer
from m26.web import guard
from m26.web.app import create_app
from m26.web.server import serve


async def serve_health(
    web: Web,
    observer: Observer,
    metrics: Metrics,
    *,
    stored_at: Callable[[], float],
    due: float,
    task_status: TaskStatus[str],
) -> None:
    """Serve until cancelled; starts with the base URL.

    Args:
        web: host, port and token.
        observer: what is shown.
        metrics: what is scraped.
        stored_at: monotonic time of the last commit; 0 before the first.
        due: seconds after which another commit should have come.
        task_status: told the URL.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    app = create_app(
        metrics=metrics,
        snapshot=observer.snapshot,
        ready=partial(_not_ready, observer, stored_at, due),
        token=web.token.get_secret_value() if web.token else None,
        hosts=guard.allowed_hosts(web),
    )
    await serve(app, host=web.host, port=web.port, task_status=task_status)


def _not_ready(observer: Observer, stored_at: Callable[[], float], due: float) -> list[str]:
    state = observer.snapshot()["state"]
    reasons = []
    if state["state"] != State.COLLECTING:
        reasons.append(f"{state['state']}: {state['reason']}")
    if not stored_at():
        reasons.append("no page was stored yet")
    elif (age := time.monotonic() - stored_at()) > due:
        reasons.append(f"the last page was stored {age:.0f} s ago; one is due every {due:.0f} s")
    return reasons
