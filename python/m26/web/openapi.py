"""The description of the HTTP interface: the table of routes in, OpenAPI 3.1 out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from m26.web.media import CSV
from m26.web.problem import ProblemView
from m26.web.schema import Schema, schema_of

if TYPE_CHECKING:
    from m26.web.parameters import Parameter
    from m26.web.route import Route

_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "M26_WEB__TOKEN, when one is set.",
}
_REFUSED = "A parameter is not right: `faults` says which, and what is."
_PROBLEM = 400
"""Answers from here on are problems."""


@cache
def document(routes: tuple[Route, ...]) -> Schema:
    """The interface as OpenAPI 3.1."""
    schemas: dict[str, Schema] = {}
    schema_of(ProblemView, schemas)
    shared: dict[str, Schema] = {"Problem": _problem("What is wrong.")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "m26", "version": "1", "license": {"name": "Apache-2.0"}},
        "security": [{}, {"token": []}],
        "paths": {each.path: {"get": _get(each, schemas, shared)} for each in routes},
        "components": {
            "schemas": schemas,
            "responses": shared,
            "securitySchemes": {"token": _TOKEN},
        },
    }


def _get(route: Route, schemas: dict[str, Schema], shared: dict[str, Schema]) -> Schema:
    get: Schema = {"summary": route.about}
    if route.parameters:
        get["parameters"] = [_parameter(each) for each in route.parameters]
    get["responses"] = {
        "200": {**_answer("OK", route.headers), "content": _content(route, schemas)},
        **{
            str(status): _shared(
                status,
                _problem(when) if status >= _PROBLEM else _answer(when, route.headers),
                shared,
            )
            for status, when in sorted({422: _REFUSED, **route.others}.items())
        },
        "default": {"$ref": "#/components/responses/Problem"},
    }
    return {**get, "security": [{}]} if route.is_open else get


def _shared(status: int, answer: Schema, shared: dict[str, Schema]) -> Schema:
    """A reference to an answer; those of one status that differ are numbered."""
    names = (f"{status}{suffix}" for suffix in ("", "b", "c", "d"))
    name = next(each for each in names if shared.setdefault(each, answer) == answer)
    return {"$ref": f"#/components/responses/{name}"}


def _problem(when: str) -> Schema:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": when, "content": {"application/problem+json": {"schema": schema}}}


def _answer(when: str, headers: Mapping[str, str]) -> Schema:
    told = {
        name: {"description": about, "schema": {"type": "string"}}
        for name, about in headers.items()
    }
    return {"description": when, "headers": told} if told else {"description": when}


def _content(route: Route, schemas: dict[str, Schema]) -> Schema:
    schema = schema_of(route.kind, schemas)
    return {m: {"schema": {"type": "string"} if m == CSV else schema} for m in route.media}


def _parameter(parameter: Parameter) -> Schema:
    schema = dict(parameter.kind.schema)
    if parameter.default is not None:
        schema["default"] = parameter.default
    spelled: Schema = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.about,
        "required": parameter.required or parameter.place == "path",
        "schema": schema,
    }
    if schema["type"] == "array":
        spelled |= {"style": "form", "explode": False}
    return spelled
