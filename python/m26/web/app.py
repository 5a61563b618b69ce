"""The HTTP application: GET requests in; what `snapshot`, `ready` and `metrics` say now out."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from m26.status.metrics import CONTENT_TYPE, Metrics
from m26.status.views import StatusView
from m26.web.guard import Guard
from m26.web.openapi import document
from m26.web.problem import HANDLERS, problem
from m26.web.refusals import Refusals

_INDEX = """\
m26: a record of the Madden Ultimate Team auction house

GET /healthz         is the process alive
GET /readyz          is data fresh; 503 says why not
GET /metrics         Prometheus
GET /api/v1/status   state, figures and versions as JSON
GET /openapi.json    description of this interface
"""


def create_app(
    *,
    metrics: Metrics,
    snapshot: Callable[[], StatusView],
    ready: Callable[[], list[str]],
    token: str | None = None,
    hosts: frozenset[str] | None = None,
    refusals: Refusals | None = None,
) -> Starlette:
    """The endpoints of one process.

    Args:
        metrics: rendered by ``/metrics``.
        snapshot: answered by ``/api/v1/status``.
        ready: reasons why data is not fresh; empty when it is.
        token: bearer token asked for everywhere but on ``/healthz``; None asks for none.
        hosts: names accepted in the ``Host`` header (see `guard.allowed_hosts`); None accepts all.
        refusals: what follows from requests without the token; by default they are counted in
            `metrics`, and delayed once there are many.
    """
    refusals = refusals or Refusals(metrics.web_refused.inc)

    def index(_: Request) -> Response:
        return PlainTextResponse(_INDEX)

    def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readyz(_: Request) -> Response:
        reasons = ready()
        if not reasons:
            return PlainTextResponse("ready\n")
        return problem(503, "; ".join(reasons), title="Not ready", reasons=reasons)

    def prometheus(_: Request) -> Response:
        return Response(metrics.render(), headers={"content-type": CONTENT_TYPE})

    def status(_: Request) -> Response:
        return _json(snapshot())

    def openapi(_: Request) -> Response:
        return _json(document())

    endpoints = {
        "/": index,
        "/healthz": healthz,
        "/readyz": readyz,
        "/metrics": prometheus,
        "/api/v1/status": status,
        "/openapi.json": openapi,
    }
    return Starlette(
        routes=[Route(path, _on_loop(endpoint)) for path, endpoint in endpoints.items()],
        middleware=[Middleware(Guard, token=token, hosts=hosts, refusals=refusals)],
        exception_handlers=HANDLERS,
    )


def _on_loop(endpoint: Callable[[Request], Response]) -> Callable[[Request], object]:
    async def handle(request: Request) -> Response:
        return endpoint(request)  # starlette would run a plain function in a thread

    return handle


def _json(value: object) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
