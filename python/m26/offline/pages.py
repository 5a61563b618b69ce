"""Exchanges of a capture in, pages of its Process replies out; keys and headers stay behind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import parse_qsl

import orjson

from m26.captures.flow import Flow
from m26.models import Page

# By path, never by host: a capture may come through a proxy or from a test server.
_PROCESS = re.compile(r"/wal/mca/Process/[^?#]*(?:\?([^#]*))?")
_BLAZE_ID = re.compile(r"madden-\d+-([a-z0-9]+)")
_PAGING = ("offset", "count")
_LONGEST_QUERY = 64 * 1024
_LARGEST_REQUEST = 2**20
"""Bytes that are parsed, of what may take a hundred times that: requests have some 1 KiB."""
_WHOLE = re.compile(r"[0-9]{1,18}")


def to_pages(flows: Iterable[Flow], name: str, problem: Callable[[str], None]) -> Iterator[Page]:
    """Pages of the Process requests among the flows of the capture called `name`."""
    for flow in flows:
        asked = _PROCESS.search(flow.url)
        if asked is None:
            continue
        if flow.response is None:
            problem(f"{name}: {flow.flaw}")
        else:
            yield _to_page(flow, flow.response, paging=asked[1] or "")


def _to_page(flow: Flow, body: bytes, *, paging: str) -> Page:
    """The flow as a page. Of the request only the command and its payload are kept."""
    platform = _BLAZE_ID.search(flow.blaze_id)
    command, query = _asked(flow.request, paging)
    return Page(
        account="",
        platform=platform[1] if platform else "",
        command=command,
        query=query,
        status=flow.status,
        content_type=flow.content_type,
        fetched_at=flow.ended_at,
        body=body,
    )


def _asked(request: bytes, paging: str) -> tuple[str, str]:
    """Command name and payload, with the paging that some clients put into the URL."""
    asked = dict(parse_qsl(paging)) if len(paging) <= _LONGEST_QUERY else {}
    pages = {name: int(asked[name]) for name in _PAGING if _WHOLE.fullmatch(asked.get(name, ""))}
    if len(request) > _LARGEST_REQUEST:
        return "", "{}"
    try:
        info = orjson.loads(orjson.loads(request)["requestInfo"])
        payload = orjson.loads(info["requestPayload"])
        if isinstance(payload, dict):
            payload |= pages
        return str(info["commandName"]), orjson.dumps(payload).decode()
    except (orjson.JSONDecodeError, KeyError, TypeError):  # the last one too when it is too deep
        return "", "{}"
