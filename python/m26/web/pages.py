"""Addresses for operators and their tools: health, metrics, status, and what there is."""

from __future__ import annotations

from typing import Any

from starlette.responses import PlainTextResponse, Response

from m26.status.metrics import CONTENT_TYPE
from m26.status.views import StatusView
from m26.web.media import FORMS, JSON, TEXT
from m26.web.openapi import document
from m26.web.problem import problem
from m26.web.route import Asked, Route


async def _index(asked: Asked) -> Response:
    routes = asked.site.routes
    wide = max(len(each.path) for each in routes)
    lines = (f"GET {each.path:{wide}}  {each.about}" for each in routes)
    title = "m26: a record of the Madden Ultimate Team auction house"
    return PlainTextResponse("\n".join((title, "", *lines, "")))


async def _healthz(_: Asked) -> Response:
    return PlainTextResponse("ok\n")


async def _readyz(asked: Asked) -> Response:
    reasons = asked.site.ready()
    if not reasons:
        return PlainTextResponse("ready\n")
    return problem(503, "; ".join(reasons), title="Not ready", reasons=reasons)


async def _metrics(asked: Asked) -> Response:
    return Response(asked.site.metrics.render(), headers={"content-type": CONTENT_TYPE})


async def _status(asked: Asked) -> Response:
    return _document(asked.site.snapshot())


async def _openapi(asked: Asked) -> Response:
    return _document(document(asked.site.routes))


def _document(value: Any) -> Response:  # noqa: ANN401 - any of them
    return Response(FORMS[JSON](value, None), media_type=JSON)


PAGES = (
    Route(path="/", about="What there is", media=(TEXT,), respond=_index),
    Route(
        path="/healthz",
        about="The process is alive; never asks for the token",
        media=(TEXT,),
        respond=_healthz,
        is_open=True,
    ),
    Route(
        path="/readyz",
        about="Data is fresh",
        media=(TEXT,),
        respond=_readyz,
        others={503: "Data is not fresh; `reasons` says why."},
    ),
    Route(path="/metrics", about="Prometheus text format", media=(TEXT,), respond=_metrics),
    Route(
        path="/api/v1/status", about="State, figures and versions", kind=StatusView, respond=_status
    ),
    Route(path="/openapi.json", about="This interface", kind=dict, respond=_openapi),
)
