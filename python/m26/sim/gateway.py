"""The gateway's HTTP face: requests in, each answer recorded and then sent, whole or damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from functools import partial
from urllib.parse import urlsplit

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from m26.sim import control, replies
from m26.sim.accounts import Known
from m26.sim.backend import Backend
from m26.sim.delivery import Connection, Delivered, dated
from m26.sim.faults import Rule
from m26.sim.records import Request as Recorded
from m26.sim.replies import RefusedError, Reply

_MAX_BODY = 1 << 20
_PROCESS = "/wal/mca/Process/"
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
"""What an operator's request calls this machine; a foreign page's calls it by the page's host."""
_METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH"]

_Call = Callable[[bytes, Known, Rule | None], Reply]


def application(backend: Backend) -> ASGIApp:
    """The ASGI application of one simulator."""
    routes = Starlette(
        routes=[
            Route("/connect/token", partial(_token, backend), methods=["POST"]),
            Route("/connect/auth", partial(_authorize, backend), methods=["GET"]),
            Route("/wal/authentication/login", partial(_login, backend), methods=["POST"]),
            Route(_PROCESS + "{session:path}", partial(_process, backend), methods=["POST"]),
            Route("/sim/stats", partial(_stats, backend), methods=["GET"]),
            Route("/sim/control", partial(_control, backend), methods=["POST"]),
            Route("/{path:path}", partial(_other, backend), methods=_METHODS),
        ]
    )
    return dated(routes, backend.clock)


async def _token(backend: Backend, request: Request) -> Response:
    return await _answer(backend, request, "token", backend.tokens.exchange)


async def _authorize(backend: Backend, request: Request) -> Response:
    query = request.query_params

    def call(_body: bytes, known: Known, _rule: Rule | None) -> Reply:
        return backend.tokens.authorize(query, known)

    return await _answer(backend, request, "authorize", call, query.get("login_hint", ""))


async def _login(backend: Backend, request: Request) -> Response:
    def call(body: bytes, known: Known, rule: Rule | None) -> Reply:
        return backend.login(request.headers, body, known, rule)

    return await _answer(backend, request, "login", call)


async def _process(backend: Backend, request: Request) -> Response:
    session = request.path_params["session"]
    escaped = request.scope["raw_path"].decode("ascii").removeprefix(_PROCESS)

    def call(body: bytes, known: Known, rule: Rule | None) -> Reply:
        if set(escaped) & set("/+=$*"):
            return replies.violation("the session key is not percent-encoded")
        query = request.query_params
        return backend.process(request.headers, session, query, body, known, rule)

    return await _answer(backend, request, "process", call, session)


async def _other(backend: Backend, request: Request) -> Response:
    return await _answer(backend, request, "other", lambda *_: replies.html(404, "Not Found"))


async def _stats(backend: Backend, request: Request) -> Response:
    return _operator(request, backend.stats)


async def _control(backend: Backend, request: Request) -> Response:
    body = await _read(request)
    return _operator(request, lambda: _switched(backend, request, body))


async def _answer(
    backend: Backend, request: Request, kind: str, call: _Call, secret: str = ""
) -> Response:
    """Answer one request.  From picking its fault to recording it nothing else can happen."""
    at = backend.clock()
    connection: Connection = request.state.connection
    try:
        body = await _read(request)
    except ClientDisconnect:
        return Response(status_code=400)  # a part of a request is none; nobody reads this
    known = backend.recognise(kind, body, secret)
    rule = backend.faults.pick(
        backend.ledger.requests + 1,
        kind=kind,
        account=known.account,
        command=known.command,
        now=at,
    )
    if rule is not None and rule.row.instead is not None:
        reply = rule.row.instead(rule.given, at)
    else:
        try:
            reply = call(body, known, rule)
        except RefusedError as refused:
            reply = refused.reply
    off, says = backend.clock_off, "off"
    if rule is not None and rule.fault == "clock_off":
        off, says = off + rule.given["by"] * (rule.given["date"] == "off"), rule.given["date"]
    date = "" if says == "absent" else formatdate(at + off, usegmt=True)
    reply = replace(reply, headers={"date": date, **reply.headers})
    way = rule.row.way if rule is not None else "whole"
    recorded = Recorded(
        at=at,
        connection=connection.number,
        account=known.account,
        platform=known.platform,
        kind=kind,
        command=known.command,
        request_id=known.request_id,
        status=reply.status,
        answer=reply.answer,
        fault=rule.fault if rule is not None else "",
        response_time=reply.response_time,
    )
    damaged = way not in {"whole", "drip"}
    backend.answered[kind] += 1
    backend.ledger.record(recorded, None if damaged else reply.shown)
    accepts_gzip = "gzip" in request.headers.get("accept-encoding", "")
    seconds = rule.given.get("seconds", 0.0) if rule is not None else 0.0
    return Delivered(reply, way, connection, gzip=accepts_gzip, seconds=seconds)


async def _read(request: Request) -> bytes:
    """The body, as far as the limit; what is longer is no request of the wire and fails later."""
    body = bytearray()
    async for chunk in request.stream():
        if len(body) <= _MAX_BODY:
            body += chunk
    return bytes(body)


def _operator(request: Request, call: Callable[[], object]) -> Response:
    """An answer for whoever runs the simulator, on this machine only."""
    host = request.client.host if request.client is not None else ""
    named = urlsplit(f"//{request.headers.get('host', '')}").hostname
    status = 403
    document: object = {"error": "only from this machine, asked as 127.0.0.1 or localhost"}
    if host in _LOOPBACK and named in _NAMES:
        try:
            status, document = 200, call()
        except ValueError as error:
            status, document = 400, {"error": str(error)}
    return Response(orjson.dumps(document), status, media_type="application/json")


def _switched(backend: Backend, request: Request, body: bytes) -> object:
    document = orjson.loads(body)
    if request.headers.get("content-type") != "application/json" or not isinstance(document, dict):
        raise ValueError("a control document is a JSON object, sent as application/json")
    answer = control.apply(backend, document)
    return {**backend.stats(), **answer}
