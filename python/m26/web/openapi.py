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
_PROBLEM = 400
"""Answers from here on are problems."""


@cache
def document(routes: tuple[Route, ...]) -> Schema:
    """The interface as OpenAPI 3.1."""
    named: dict[str, Schema] = {}
    problem = {"application/problem+json": {"schema": schema_of(ProblemView, named)}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "m26", "version": "1", "license": {"name": "Apache-2.0"}},
        "security": [{}, {"token": []}],
        "paths": {each.path: {"get": _get(each, named, problem)} for each in routes},
        "components": {"schemas": named, "securitySchemes": {"token": _TOKEN}},
    }


def _get(route: Route, named: dict[str, Schema], problem: Schema) -> Schema:
    get: Schema = {"summary": route.about}
    if route.parameters:
        get["parameters"] = [_parameter(each) for each in route.parameters]
    others = {422: "A parameter is not right; `faults` says which, and what is.", **route.others}
    get["responses"] = {
        "200": {**_answer("OK", route.headers), "content": _content(route, named)},
        **{
            str(status): {"description": when, "content": problem}
            if status >= _PROBLEM
            else _answer(when, route.headers)
            for status, when in sorted(others.items())
        },
        "default": {"description": "What is wrong.", "content": problem},
    }
    return {**get, "security": [{}]} if route.is_open else get


def _answer(when: str, headers: Mapping[str, str]) -> Schema:
    told = {
        name: {"description": about, "schema": {"type": "string"}}
        for name, about in headers.items()
    }
    return {"description": when, "headers": told} if told else {"description": when}


def _content(route: Route, named: dict[str, Schema]) -> Schema:
    schema = schema_of(route.kind, named)
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
