"""The description of the HTTP interface, by hand: nothing in, an OpenAPI 3.1 document out."""

from __future__ import annotations

from typing import Any

_TIME = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_NUMBER = {"type": "number"}
_FLAG = {"type": "boolean"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _map(values: dict[str, Any], *names: str) -> dict[str, Any]:
    """An object that is used as a dictionary; `names` are some of its keys."""
    return {
        "type": "object",
        "properties": dict.fromkeys(names, values),
        "additionalProperties": values,
    }


_STATE = {
    "type": "string",
    "enum": [
        "collecting",
        "starting",
        "backing_off",
        "paused",
        "storing_only",
        "stopped",
        "draining",
    ],
}
_SCHEMAS: dict[str, Any] = {
    "Condition": _object(
        source=_TEXT,
        state=_STATE,
        reason=_TEXT,
        advice=_TEXT,
        since=_TIME,
        until={"type": ["string", "null"], "format": "date-time"},
    ),
    "Account": _object(
        name=_TEXT,
        platform=_TEXT,
        state=_STATE,
        reason=_TEXT,
        strategy=_TEXT,
        budget=_map(_WHOLE, "day", "minute"),
        next_request_at={"type": ["string", "null"], "format": "date-time"},
        refills_at=_map(_TIME, "day", "minute"),
        auth_seconds_left=_map(_NUMBER, "session", "access_token", "refresh_token", "bundles"),
    ),
    "Server": _object(embedded=_FLAG, where=_TEXT, version=_TEXT),
    "Rate": _object(
        window_seconds=_NUMBER,
        auctions_per_second=_NUMBER,
        events_per_second=_NUMBER,
        requests_per_minute=_NUMBER,
    ),
    "Commits": _object(count=_WHOLE, mean_seconds={"type": ["number", "null"]}),
    "Journal": _object(bytes=_WHOLE, backlog=_WHOLE),
    "Status": _object(
        schema_version={"const": 1},
        healthy=_FLAG,
        state={"$ref": "#/components/schemas/Condition"},
        conditions={"type": "array", "items": {"$ref": "#/components/schemas/Condition"}},
        now=_TIME,
        started_at=_TIME,
        uptime_seconds=_NUMBER,
        pid=_WHOLE,
        url=_TEXT,
        home=_TEXT,
        simulator=_FLAG,
        profile=_TEXT,
        accounts={"type": "array", "items": {"$ref": "#/components/schemas/Account"}},
        requests=_map(_WHOLE),
        budget=_map(_WHOLE),
        auctions=_map(_WHOLE, "new", "changed", "unchanged", "rejected"),
        late=_WHOLE,
        events=_map(_WHOLE, "listed", "bid", "changed", "closed"),
        rate={"$ref": "#/components/schemas/Rate"},
        commits={"$ref": "#/components/schemas/Commits"},
        lag_seconds=_map(_NUMBER, "journal", "store", "publish"),
        auth_seconds_left=_map(_NUMBER, "session", "access_token", "refresh_token", "bundles"),
        journal={"$ref": "#/components/schemas/Journal"},
        database={"$ref": "#/components/schemas/Server"},
        redis={"$ref": "#/components/schemas/Server"},
        rejects=_map(_WHOLE),
        drift=_WHOLE,
        clock_skew_seconds=_NUMBER,
        versions=_map(_TEXT, "m26", "python"),
    ),
    "Problem": {
        **_object(type=_TEXT, title=_TEXT, status=_WHOLE, detail=_TEXT),
        "description": "RFC 9457; /readyz adds `reasons`.",
    },
}


def _get(summary: str, media: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = {"description": "OK", "content": {media: {"schema": schema}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    default = {"description": "What is wrong.", "content": problem}
    return {"get": {"summary": summary, "responses": {"200": answer, "default": default}, **more}}


def document() -> dict[str, Any]:
    """The interface as OpenAPI 3.1."""
    text = "text/plain"
    return {
        "openapi": "3.1.0",
        "info": {"title": "m26", "version": "1", "license": {"name": "Apache-2.0"}},
        "security": [{}, {"token": []}],
        "paths": {
            "/": _get("What there is", text, _TEXT),
            "/healthz": _get("The process is alive", text, _TEXT, security=[{}]),
            "/readyz": _get("Data is fresh; 503 with reasons when it is not", text, _TEXT),
            "/metrics": _get("Prometheus text format", text, _TEXT),
            "/api/v1/status": _get(
                "State, figures and versions",
                "application/json",
                {"$ref": "#/components/schemas/Status"},
            ),
            "/openapi.json": _get("This document", "application/json", {"type": "object"}),
        },
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "M26_WEB__TOKEN, when one is set.",
                }
            },
        },
    }
