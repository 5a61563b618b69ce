"""What every kind of capture comes to: one request and its reply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final
from urllib.parse import parse_qsl, unquote

from m26._native import MAX_PAGE_BYTES

MAX_FLOW_BYTES: Final = MAX_PAGE_BYTES * 3 // 2
"""Longer ones are passed over, unread: room for the largest page in base64, or escaped."""
_MOST_FORM = 64 * 1024
_MOST_FIELDS = 100


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
    request_type: str
    """Content type of the request."""
    listed: Iterable[tuple[str, str]] = ()
    """Fields of its form as some dialects list them, still encoded, and no body; read once."""
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

    def form(self) -> dict[str, str]:
        """Fields of an HTML form, none of another request. The body goes before `listed`.

        Read only where they are asked for: as fields, a body takes fifty times its size.

        Raises:
            ValueError: more than 100 fields or 64 KiB; the text continues a sentence on the flow.
        """
        if "form-urlencoded" not in self.request_type.lower():
            return {}
        listed = [*islice(self.listed, _MOST_FIELDS + 1)]
        size = len(self.request) + sum(len(name) + len(value) for name, value in listed)
        if size > _MOST_FORM or len(listed) > _MOST_FIELDS:
            raise ValueError("is a form of more than 100 fields or 64 KiB, and was not read")
        fields = {unquote(name): unquote(value) for name, value in listed}
        try:
            fields |= parse_qsl(
                self.request.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS
            )
        except ValueError:
            raise ValueError("is a form of more than 100 fields, and was not read") from None
        return {name: value for name, value in fields.items() if value}


def too_long(name: str, kind: str, number: int) -> str:
    """What is told of a flow that is passed over."""
    limit = MAX_FLOW_BYTES // 1024**2
    text = f"is longer than {limit} MiB, or has very many parts, and was passed over"
    return f"{name}: {kind} {number} {text}"
