"""What every kind of capture comes to: one request and its reply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote

from m26._native import MAX_PAGE_BYTES

MAX_FLOW_BYTES: Final = MAX_PAGE_BYTES * 3 // 2
"""Longer ones are passed over, unread: room for the largest page in base64, or escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One request and its reply. Full of secrets."""

    place: str
    """Where in the capture it stands, e.g. ``entry 3``."""
    method: str
    """In capitals."""
    url: str
    """Still percent-encoded; the path alone where the capture does not tell the host."""
    blaze_id: str
    """The X-BLAZE-ID header: names the platform."""
    request: bytes
    form: dict[str, str]
    """Fields of an HTML form, where the request is one."""
    status: int
    content_type: str
    """Of the reply."""
    response: bytes | None
    """After HTTP content decoding; None when the capture does not have it, see `flaw`."""
    ended_at: int
    """Microseconds since 1970 at which the reply had arrived; 0 when the capture does not say."""
    flaw: str
    """Why it has no reply; with its place, without secrets."""
    request_flaw: str = ""
    """Why its request could not be read; with its place, without secrets."""

    def __repr__(self) -> str:
        return f"Flow({self.method}, status={self.status})"


def form_fields(
    content_type: str, body: bytes, listed: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """Fields of an HTML form, none of another request.

    Args:
        content_type: of the request.
        body: of the request; it goes before `listed`.
        listed: names and values as some dialects list them, still encoded, and no body.
    """
    if "form-urlencoded" not in content_type.lower():
        return {}
    fields = {unquote(name): unquote(value) for name, value in listed}
    fields |= parse_qsl(body.decode("utf-8", "replace"))
    return {name: value for name, value in fields.items() if value}


def too_long(name: str, kind: str, number: int) -> str:
    """What is told of a flow that is passed over."""
    limit = MAX_FLOW_BYTES // 1024**2
    return f"{name}: {kind} {number} is longer than {limit} MiB and was passed over"
