"""mitmproxy flow files in, their flows out, one in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

from m26.captures.content import decoded
from m26.captures.flow import Flow, too_long
from m26.captures.split import Source
from m26.captures.tnetstring import OPENING, Documents, Fault
from m26.errors import ShapeError

# Versions whose HTTP part has the form read here: mitmproxy 4 to 12.
_VERSIONS = range(4, 22)
_LAST_SECOND = 1e11
"""Unix seconds; a later time is damage."""
_MOST_VERSIONS = 10
"""Unknown versions that are told one by one."""


def is_flow_file(head: bytes) -> bool:
    """Whether a file that begins with `head` is a mitmproxy flow file (tnetstrings)."""
    return OPENING.match(head) is not None


def read_flows(source: Source, name: str, problem: Callable[[str], None]) -> Iterator[Flow]:
    """Flows of a flow file, in its order. What is damaged costs no flow that is whole.

    Args:
        source: the file.
        name: what problems call it.
        problem: told of an end that is cut off, of what is damaged or of an unknown version, and
            of a flow that is passed over for its length.

    Raises:
        ShapeError: there is no flow but damaged ones, or ones of a version that m26 does not know.
    """
    documents, unknown = Documents(source, b"version"), set[int]()
    held: ShapeError | None = None  # told when there is a flow that can be read, else raised
    was_read = False
    for number in count():
        flow = documents.next()
        if flow is None:
            break
        fault = _fault(flow, name, number)
        if isinstance(fault, str):
            problem(fault)
        elif fault is None:
            if held is not None:
                problem(held.message)
            held, was_read = None, True
            yield from _http(flow, number)
        elif was_read:
            version = flow.get("version") if isinstance(flow, dict) else None
            if not isinstance(version, int):
                problem(fault.message)
            elif version not in unknown and len(unknown) < _MOST_VERSIONS:
                problem(fault.message)
                unknown.add(version)
        else:
            held = held or fault
    if held is not None:
        raise held


def _fault(flow: object, name: str, number: int) -> str | ShapeError | None:
    """What to tell of a flow that cannot be read; an error where it would be none of a file's."""
    if flow is Fault.TOO_LONG:
        return too_long(name, "flow", number)
    if flow is Fault.CUT:
        return f"{name} is cut off in flow {number}"
    version = flow.get("version") if isinstance(flow, dict) else None
    if not isinstance(version, int):  # its text may quote the file, and so a secret
        hint = "Export what is whole with `mitmdump -nr FILE -w NEW`."
        return ShapeError(f"{name} is damaged in flow {number}", hint=hint)
    if version not in _VERSIONS:
        return ShapeError(
            f"{name}: flow {number} has flow version {version}; "
            f"m26 reads {_VERSIONS[0]} to {_VERSIONS[-1]}",
            hint="Export it as HAR: mitmdump -nr FILE --set hardump=FILE.har",
        )
    return None


def _http(flow: object, number: int) -> Iterator[Flow]:
    """A flow of HTTP as such; nothing of another protocol's."""
    found = flow if isinstance(flow, dict) else {}
    if found.get("type") == "http" and isinstance(found.get("request"), dict):
        yield _flow(found, number)


def _flow(stored: dict[str, Any], number: int) -> Flow:
    request, response = stored["request"], stored.get("response")
    response = response if isinstance(response, dict) else {}
    asked, answered = _headers(request), _headers(response)
    sent, request_flaw = _body(request, asked)
    body, flaw = _body(response, answered)
    if body is None and not flaw:
        flaw = "holds no reply body"
    place, status = f"flow {number}", response.get("status_code")
    return Flow(
        place=place,
        method=_bytes(request, "method").decode("latin-1").upper(),
        url=_server(request, asked) + _bytes(request, "path").decode("latin-1"),
        blaze_id=asked.get("x-blaze-id", ""),
        request=sent or b"",
        request_type=asked.get("content-type", ""),
        status=status if isinstance(status, int) else 0,
        content_type=answered.get("content-type", ""),
        response=body,
        ended_at=_micros(response.get("timestamp_end") or response.get("timestamp_start")),
        flaw=f"{place} {flaw}" if flaw else "",
        request_flaw=f"{place}: its request {request_flaw}" if request_flaw else "",
    )


def _server(request: dict[str, Any], headers: dict[str, str]) -> str:
    """Scheme and host, by the name that was asked for; the address may be a number."""
    named = headers.get("host") or _bytes(request, "authority").decode("latin-1")
    host = request.get("host")
    if not named and isinstance(host, str | bytes):
        name = host if isinstance(host, str) else host.decode("latin-1")
        named = f"[{name}]" if ":" in name else name
        port = request.get("port")
        named += f":{port}" if isinstance(port, int) else ""
    scheme = _bytes(request, "scheme").decode("latin-1")
    return f"{scheme}://{named}" if scheme and named else ""


def _body(message: dict[str, Any], headers: dict[str, str]) -> tuple[bytes | None, str]:
    """A body after content decoding, None where there is none; and what is wrong with it."""
    content = message.get("content")
    if not isinstance(content, bytes):
        return None, ""
    try:
        return decoded(content, headers.get("content-encoding", "")), ""
    except ValueError as error:
        return None, str(error)


def _headers(message: dict[str, Any]) -> dict[str, str]:
    listed, headers = message.get("headers"), {}
    for header in listed if isinstance(listed, list) else ():
        match header:
            case [bytes(name), bytes(value)]:
                headers[name.decode("latin-1").lower()] = value.decode("latin-1")
            case _:
                continue
    return headers


def _bytes(message: dict[str, Any], key: str) -> bytes:
    value = message.get(key)
    return value if isinstance(value, bytes) else b""


def _micros(seconds: object) -> int:
    if isinstance(seconds, int | float) and 0 < seconds < _LAST_SECOND:
        return round(seconds * 1e6)
    return 0
