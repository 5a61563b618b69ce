"""Reply bodies in, the rows that they must give out: plain Python on orjson, by docs/DATA.md.

Values come from orjson. What orjson does not tell (a key that stands twice, how a number is
written) comes from the standard library's parser. Nothing is shared with the Rust core.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from tests.fuzz import cards
from tests.fuzz.spelled import Spelled, spelled, twice, unkeepable

SECOND = 1_000_000
TIMES = range(946_684_800, 4_102_444_800)
"""2000 to 2100, seconds."""
_DEPTH_OF_ITEMS = 5
_NEAR, _ROUGHLY, _STEADY = 30 * SECOND, 300 * SECOND, 3
_STALE = 30 * 86_400 * SECOND
_LIFE = 366 * 86_400
_PRICES = ("buyoutPrice", "medianAuctionPrice", "minListingPrice", "maxListingPrice")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_CONTROL = bytes.maketrans(bytes(range(0x20)), b" " * 0x20)


class RefusedError(Exception):
    """What the reader has no row for, or no rows at all."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a page must come to."""

    items: int = 0
    rows: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    """By place; `card` is the definition in one spelling, where a row has its version."""
    cards: Mapping[int, dict[str, Any]] = field(default_factory=dict)
    """The card's columns of each row, by place."""
    error_reply: bool = False
    """No data, and no reject."""


class Reader:
    """Reads pages in order; remembers by how much the server's clock is off, by those it took."""

    def __init__(self) -> None:
        self._skew = 0
        self._known = False
        """Two times agreed on it."""
        self._others: list[int] = []
        """What the last times said in place of it, as far as they agree with each other."""

    def read(self, body: bytes, *, fetched_at: int = 0) -> Reading:
        """What the page must come to.

        Raises:
            RefusedError: the whole page gives nothing.
        """
        before = self._skew, self._known, self._others
        try:
            return self._read(body, fetched_at)
        except RefusedError:
            self._skew, self._known, self._others = before
            raise

    def _read(self, body: bytes, fetched_at: int) -> Reading:
        text = repaired(body)
        document, tree = parsed(text)
        if not isinstance(document, dict):
            raise RefusedError("not_json, unknown_shape")
        value = _at(document, "responseInfo", "value")
        details = value.get("details")
        _check_envelope(tree)
        if not isinstance(details, list):
            if _is_error(document, value):
                return Reading(error_reply=True)
            raise RefusedError("unknown_shape")
        if len(details) > 10_000:
            raise RefusedError("too_many")
        if not details:
            return Reading(error_reply=_is_error(document, value))
        observed_at = self._observed(_at(value, "responseData").get("responseTime"), fetched_at)
        rows, definitions = {}, {}
        listed = tree.get("responseInfo", "value", "details")
        for place, (item, spelling) in enumerate(zip(details, listed, strict=True)):
            try:
                rows[place], definitions[place] = read_item(item, spelling, observed_at)
            except RefusedError:
                continue
        if rows and observed_at - max(row["posted_at"] for row in rows.values()) > _STALE:
            raise RefusedError("stale_market")
        return Reading(len(details), rows, definitions)

    def _observed(self, server: Any, ours: int) -> int:
        told = server if type(server) is int and server // SECOND in TIMES else None
        if told is None and not ours:
            raise RefusedError("no_time")
        if told is None:
            return ours + self._skew
        return told if not ours or self._agrees(told - ours) else ours + self._skew

    def _agrees(self, off: int) -> bool:
        """Whether a server's time so far off our clock is believed; notes what it says."""
        near = abs(off - self._skew) <= _NEAR
        if not near and (self._known or abs(off) > _ROUGHLY):
            others = self._others if self._others and abs(off - self._others[-1]) <= _NEAR else []
            self._others = [*others, off]
            if len(self._others) < _STEADY:
                return False
            near = True
        self._skew, self._known, self._others = off, self._known or near, []
        return True


def parsed(text: bytes) -> tuple[Any, Any]:
    """The document, and how it is written.

    Raises:
        RefusedError: orjson refuses it, or it is nested far deeper than anything that is read.
    """
    try:
        return orjson.loads(text), spelled(text)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise RefusedError("malformed") from error


def repaired(body: bytes) -> bytes:
    """The body without byte order mark, each control byte inside a string a space."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    return _STRING.sub(lambda match: match[0].translate(_CONTROL), body)


def read_item(item: Any, spelling: Any, observed_at: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The row of an auction without its place, and the columns of its card.

    Raises:
        RefusedError: it belongs in quarantine.
    """
    if not isinstance(item, dict) or any(unkeepable(spelling, _DEPTH_OF_ITEMS)) or twice(spelling):
        raise RefusedError("not_an_object, duplicate_key, or what cannot be kept")
    status, shown = item.get("auctionStatus"), item.get("card")
    if not isinstance(status, str) or not isinstance(shown, dict):
        raise RefusedError("auctionStatus, card")
    status = status.removeprefix("AUCTIONSTATUS_").lower()
    if not 0 < len(status.encode()) <= 64:
        raise RefusedError("auctionStatus")
    median, least, most = (_integer(item, name) for name in _PRICES[1:])
    bids, posted = _required(item, "numberOfBids"), _required(item, "postingTime")
    current, following = _required(item, "currentBid"), _required(item, "nextBid")
    remaining = max(0, _required(item, "secondsRemaining", least=-(2**63)))
    if bids >= 2**31 or posted not in TIMES or remaining > _LIFE:
        raise RefusedError("numberOfBids, postingTime, secondsRemaining")
    acquired = _of_the_copy(shown, "acquisitionTimestamp")
    row = {
        "auction_id": _required(item, "auctionId", least=1),
        "card_id": _required(shown, "cardId", least=1),
        "card_instance_id": _of_the_copy(shown, "cardInstanceId"),
        "acquired_at": acquired if acquired and acquired // SECOND in TIMES else None,
        "posted_at": posted * SECOND,
        "expires_at": observed_at + remaining * SECOND,
        "status": status,
        "start_price": current if bids == 0 and current == following else None,
        "buyout_price": _integer(item, "buyoutPrice") or None,
        "current_bid": current,
        "next_bid": following,
        "bids": bids,
        "median_price": median,
        "min_price": least,
        "max_price": most,
        "observed_at": observed_at,
    }
    definition = cards.definition(spelling.get("card"))
    if definition is None:
        raise RefusedError("duplicate_key in the card")
    row["card"] = definition
    return row, cards.columns(shown)


def _integer(item: Mapping[str, Any], name: str, *, least: int = 0) -> int | None:
    value = item.get(name)
    if value is None:
        return None
    if type(value) is not int or value < least:
        raise RefusedError(name)
    return value


def _required(item: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    value = _integer(item, name, least=least)
    if value is None:
        raise RefusedError(name)
    return value


def _of_the_copy(card: Mapping[str, Any], name: str) -> int | None:
    value = card.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise RefusedError(name)
    return value if isinstance(value, int) else None


def _at(document: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    """The object at the end of the path; empty where there is none."""
    for name in names:
        found = document.get(name)
        document = found if isinstance(found, dict) else {}
    return document


def _is_error(document: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    code = _at(value, "responseData").get("uiErrorCode")
    return (
        isinstance(document.get("error"), dict)
        or type(document.get("code")) is int
        or any(said is False for said in (document.get("success"), value.get("success")))
        or not (code is None or code in ("", "0") or (type(code) is int and code == 0))
    )


def _check_envelope(tree: Spelled) -> None:
    """Raise if what surrounds the items cannot be kept, or says something twice."""
    if any(_envelope_faults(tree)):
        raise RefusedError("the envelope: duplicate_key, or what cannot be kept")


def _envelope_faults(tree: Spelled) -> Iterator[object]:
    yield from unkeepable(tree.without("responseInfo", "value", "details"), 1)
    for path in (
        (),
        ("error",),
        ("error", "errortdf"),
        ("error", "errordf"),
        ("responseInfo",),
        ("responseInfo", "value"),
        ("responseInfo", "value", "responseData"),
    ):
        found = tree.get(*path)
        yield isinstance(found, Spelled) and twice(found)
