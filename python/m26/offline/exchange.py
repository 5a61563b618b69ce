"""One HTTP exchange of a capture in, the page it carries out; keys and headers stay behind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson

from m26.models import Page

# By path, never by host: a capture may come through a proxy or from a test server.
_PROCESS = re.compile(r"/wal/mca/Process/[^?#]*(?:\?([^#]*))?")
_BLAZE_ID = re.compile(r"madden-\d+-([a-z0-9]+)")
_PAGING = ("offset", "count")


def is_process(url: str) -> bool:
    """Whether a URL or path is that of a Process request."""
    return _PROCESS.search(url) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What of a Process request and its reply matters to m26."""

    url: str
    blaze_id: str
    """The X-BLAZE-ID header: names the platform."""
    request: bytes
    status: int
    content_type: str
    body: bytes
    """Reply bytes after HTTP content decoding."""
    fetched_at: int
    """Microseconds since 1970; 0 when unknown."""


def to_page(exchange: Exchange) -> Page:
    """The exchange as a page. Of the request only the command and its payload are kept."""
    platform = _BLAZE_ID.search(exchange.blaze_id)
    command, query = _asked(exchange.request, exchange.url)
    return Page(
        account="",
        platform=platform[1] if platform else "",
        command=command,
        query=query,
        status=exchange.status,
        content_type=exchange.content_type,
        fetched_at=exchange.fetched_at,
        body=exchange.body,
    )


def _asked(request: bytes, url: str) -> tuple[str, str]:
    """Command name and payload, with the paging that some clients put into the URL."""
    try:
        info = orjson.loads(orjson.loads(request)["requestInfo"])
        command, payload = info["commandName"], orjson.loads(info["requestPayload"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "", "{}"
    match = _PROCESS.search(url)
    asked = dict(parse_qsl(match[1] or "")) if match else {}
    if isinstance(payload, dict):
        payload |= {name: int(asked[name]) for name in _PAGING if asked.get(name, "").isdecimal()}
    return str(command), orjson.dumps(payload).decode()
