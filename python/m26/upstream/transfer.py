"""Reading a reply off the wire: an open response in, its whole bytes or a typed error out."""

from __future__ import annotations

import ssl
import zlib
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from m26.upstream.verdicts import BrokenTransferError

MAX_BODY_BYTES: Final = 16 * 2**20
"""Cap on a reply, as sent and after decompression."""
_KEPT_OF_TOO_LARGE = 64 * 2**10
_STEP = 2**14
"""Bytes unpacked at once: what lies behind a member is copied, which is dear where many follow."""


async def read_body(response: httpx.Response) -> bytes:
    """The whole body, decompressed by us: httpx takes half a gzip stream for a whole one.

    Raises:
        BrokenTransferError: it is cut, damaged, too large, or in an encoding nobody asked for.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise BrokenTransferError("the reply is neither plain nor gzip", reason="encoding")
    gzip = _Gunzip() if encoding.endswith("gzip") else None
    body = bytearray()
    received = 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        # One byte more than the cap is enough to know; a bomb is never unpacked further.
        room = MAX_BODY_BYTES + 1 - len(body)
        body += chunk[:room] if gzip is None else gzip.unpack(chunk, room)
        if received > MAX_BODY_BYTES or len(body) > MAX_BODY_BYTES:
            raise BrokenTransferError(
                f"the reply is larger than {MAX_BODY_BYTES} bytes",
                reason="too_large",
                part=bytes(body[:_KEPT_OF_TOO_LARGE]),
            )
    if gzip is not None and received and not gzip.is_whole:
        raise BrokenTransferError("the gzip body does not end where it should", reason="cut")
    return bytes(body)


class _Gunzip:
    """Unpacks all members of a gzip body (RFC 1952), and passes the zeros that may pad it."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)

    @property
    def is_whole(self) -> bool:
        """What came so far ends where a member does."""
        return self._member.eof

    def unpack(self, chunk: bytes, room: int) -> bytes:
        """What `chunk` comes to, `room` bytes of it at the most (at least 1)."""
        unpacked = bytearray()
        for start in range(0, len(chunk), _STEP):
            rest = chunk[start : start + _STEP]
            while rest and len(unpacked) < room:
                if self._member.eof:
                    rest = rest.lstrip(b"\0")
                    if not rest:
                        break
                    self._member = zlib.decompressobj(wbits=31)
                try:
                    unpacked += self._member.decompress(rest, room - len(unpacked))
                except zlib.error:
                    raise BrokenTransferError("the gzip body is damaged", reason="cut") from None
                rest = self._member.unused_data
        return bytes(unpacked)


def broken(error: httpx.HTTPError, call: str) -> BrokenTransferError:
    """The reason code of a transfer that failed, without the text that may hold the URL."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return BrokenTransferError(
                f"{call}: certificate not valid: {cause.verify_message}", reason="certificate"
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.LocalProtocolError):
        return unsendable(error, call)
    if isinstance(error, httpx.ConnectError):
        return BrokenTransferError(f"{call}: no connection", reason="unreachable")
    return BrokenTransferError(
        f"{call}: the transfer broke off ({type(error).__name__})", reason="cut"
    )


def unsendable(error: Exception, call: str) -> BrokenTransferError:
    """What is said of a request that could not be built; nothing of it has left."""
    return BrokenTransferError(
        f"{call}: no request can be made of that ({type(error).__name__})", reason="unsendable"
    )


def retry_after(value: str | None, now: float) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, given as a number or as a date."""
    if value is None:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value)
    at = http_date(value)
    return max(0.0, at - now) if at is not None else None


def http_date(value: str | None) -> float | None:
    """Unix seconds of an HTTP date; None where it is none."""
    if value is None:
        return None
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a number that no date can hold
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
