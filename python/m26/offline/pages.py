"""Exchanges of a capture in, pages of its Process replies out; keys and headers stay behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import parse_qsl

import orjson

from m26.captures.exchange import Exchange
from m26.models import Page

# By path, never by host: a capture may come through a proxy or from a test server.
_PROCESS = re.compile(r"/wal/mca/Process/[^?#]*(?:\?([^#]*))?")
_BLAZE_ID = re.compile(r"madden-\d+-([a-z0-9]+)")
_PAGING = ("offset", "count")
_WHOLE = re.compile(r"[0-9]{1,18}")


def to_pages(
    exchanges: Iterable[Exchange], name: str, problem: Callable[[str], None]
) -> Iterator[Page]:
    """Pages of the Process requests among the exchanges of the capture called `name`."""
    for exchange in exchanges:
        asked = _PROCESS.search(exchange.url)
        if asked is None:
            continue
        if exchange.response is None:
            problem(f"{name}: {exchange.flaw}")
        else:
            yield _to_page(exchange, exchange.response, paging=asked[1] or "")


def _to_page(exchange: Exchange, body: bytes, *, paging: str) -> Page:
    """The exchange as a page. Of the request only the command and its payload are kept."""
    platform = _BLAZE_ID.search(exchange.blaze_id)
    command, query = _asked(exchange.request, paging)
    return Page(
        account="",
        platform=platform[1] if platform else "",
        command=command,
        query=query,
        status=exchange.status,
        content_type=exchange.content_type,
        fetched_at=exchange.ended_at,
        body=body,
    )


def _asked(request: bytes, paging: str) -> tuple[str, str]:
    """Command name and payload, with the paging that some clients put into the URL."""
    asked = dict(parse_qsl(paging))
    pages = {name: int(asked[name]) for name in _PAGING if _WHOLE.fullmatch(asked.get(name, ""))}
    try:
        info = orjson.loads(orjson.loads(request)["requestInfo"])
        payload = orjson.loads(info["requestPayload"])
        if isinstance(payload, dict):
            payload |= pages
        return str(info["commandName"]), orjson.dumps(payload).decode()
    except (orjson.JSONDecodeError, KeyError, TypeError):  # the last one too when it is too deep
        return "", "{}"
