"""Errors over HTTP: a status and a sentence in, ``application/problem+json`` (RFC 9457) out."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, NotRequired, TypedDict

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""On every response."""


class FaultView(TypedDict):
    """What is wrong with one parameter."""

    name: str
    detail: str
    allowed: Annotated[str, "What may stand there, in words."]


class ProblemView(TypedDict):
    """RFC 9457; /readyz adds `reasons`, a request that is refused for its parameters `faults`."""

    type: str
    title: str
    status: int
    detail: Annotated[str, "What is wrong with this very request, and what to do."]
    reasons: NotRequired[Annotated[list[str], "Of /readyz: why data is not fresh."]]
    faults: NotRequired[Annotated[list[FaultView], "Of 422: each parameter that is not right."]]


def problem(
    status: int,
    detail: str,
    *,
    title: str = "",
    headers: Mapping[str, str] | None = None,
    reasons: list[str] | None = None,
    faults: list[FaultView] | None = None,
) -> Response:
    """An RFC 9457 answer.

    Args:
        status: HTTP status.
        detail: what is wrong with this very request, and what to do.
        title: what kind of problem it is; the status's phrase when empty.
        headers: more response headers.
        reasons: why the process is not ready.
        faults: what is wrong with parameters.
    """
    body = ProblemView(
        type="about:blank",
        title=title or HTTPStatus(status).phrase,
        status=status,
        detail=detail,
    )
    if reasons is not None:
        body["reasons"] = reasons
    if faults is not None:
        body["faults"] = faults
    return Response(
        orjson.dumps(body),
        status_code=status,
        headers={**HEADERS, **(headers or {})},
        media_type="application/problem+json",
    )


def refused(faults: list[FaultView]) -> Response:
    """The answer to a request whose parameters are not right."""
    detail = "; ".join(each["detail"] for each in faults)
    return problem(422, detail, title="Parameters are not right", faults=faults)


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = {
        404: "There is nothing at this address; /openapi.json lists what there is.",
        405: "Only GET and HEAD are answered.",
    }.get(error.status_code, error.detail)
    return problem(error.status_code, detail, headers=error.headers)


async def _on_bug(_: Request, _error: Exception) -> Response:
    return problem(500, "m26 failed to answer; its log says why.")


HANDLERS: dict[Any, Any] = {HTTPException: _on_http_exception, Exception: _on_bug}
"""Exception handlers of the application; the types are starlette's."""
