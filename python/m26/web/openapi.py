"""The description of the HTTP interface: what each address answers in, OpenAPI 3.1 out."""

from __future__ import annotations

from functools import cache
from typing import Any

from m26.status.views import StatusView
from m26.web.problem import ProblemView
from m26.web.schema import Schema, schema_of

_TEXT, _JSON = "text/plain", "application/json"
_ANSWERS: dict[str, tuple[str, str, Any]] = {
    "/": ("What there is", _TEXT, str),
    "/healthz": ("The process is alive", _TEXT, str),
    "/readyz": ("Data is fresh; 503 with reasons when it is not", _TEXT, str),
    "/metrics": ("Prometheus text format", _TEXT, str),
    "/api/v1/status": ("State, figures and versions", _JSON, StatusView),
    "/openapi.json": ("This document", _JSON, dict),
}
"""Summary, media type and type of each answer."""
_OPEN = ("/healthz",)
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "M26_WEB__TOKEN, when one is set.",
}


@cache
def document() -> Schema:
    """The interface as OpenAPI 3.1."""
    named: dict[str, Schema] = {}
    problem = {"application/problem+json": {"schema": schema_of(ProblemView, named)}}
    paths = {}
    for path, (summary, media, kind) in _ANSWERS.items():
        answer = {"description": "OK", "content": {media: {"schema": schema_of(kind, named)}}}
        wrong = {"description": "What is wrong.", "content": problem}
        get: Schema = {"summary": summary, "responses": {"200": answer, "default": wrong}}
        paths[path] = {"get": {**get, "security": [{}]} if path in _OPEN else get}
    return {
        "openapi": "3.1.0",
        "info": {"title": "m26", "version": "1", "license": {"name": "Apache-2.0"}},
        "security": [{}, {"token": []}],
        "paths": paths,
        "components": {"schemas": named, "securitySchemes": {"token": _TOKEN}},
    }
