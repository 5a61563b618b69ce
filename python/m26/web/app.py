"""The HTTP application: requests in; answers by the table of routes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.middleware import Middleware

from m26.status.metrics import Metrics
from m26.status.views import StatusView
from m26.web.desk import Desk
from m26.web.guard import Guard
from m26.web.kept import Kept
from m26.web.latest import Latest
from m26.web.pages import PAGES
from m26.web.problem import HANDLERS
from m26.web.questions import QUESTIONS
from m26.web.refusals import Refusals
from m26.web.route import Site

ROUTES = (*PAGES, *QUESTIONS)
"""All that there is."""
_THREADS = 2
"""In which answers are put into their form: there are as many cores in the smallest machine."""


def create_app(
    *,
    metrics: Metrics,
    snapshot: Callable[[], StatusView],
    ready: Callable[[], list[str]],
    prices: Any,  # noqa: ANN401 - see `m26.web.desk.Desk`
    token: str | None = None,
    hosts: frozenset[str] | None = None,
    refusals: Refusals | None = None,
) -> Starlette:
    """The endpoints of one process.

    Args:
        metrics: rendered by ``/metrics``.
        snapshot: answered by ``/api/v1/status``.
        ready: reasons why data is not fresh; empty when it is.
        prices: answers what is asked of the market.
        token: bearer token asked for everywhere but on ``/healthz``; None asks for none.
        hosts: names accepted in the ``Host`` header (see `guard.allowed_hosts`); None accepts all.
        refusals: what follows from requests without the token; by default they are counted in
            `metrics`, and delayed once there are many.
    """
    desk, kept, limiter = Desk(prices), Kept(), CapacityLimiter(_THREADS)
    latest = Latest(desk, kept, limiter)
    site = Site(metrics, snapshot, ready, desk, kept, latest, limiter, ROUTES)
    refusals = refusals or Refusals(metrics.web_refused.inc)
    return Starlette(
        routes=[each.mounted(site) for each in ROUTES],
        middleware=[Middleware(Guard, token=token, hosts=hosts, refusals=refusals)],
        exception_handlers=HANDLERS,
    )
