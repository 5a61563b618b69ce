"""Reply bodies in, the rows that they must give out: plain Python, by docs/DATA.md.

The standard library's parser takes any JSON, to some depth. Nothing is shared with the Rust core.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz import cards
from tests.fuzz.spelled import UNKEEPABLE, Spelled, canonical, spelled, values

SECOND = 1_000_000
DATA = ("responseInfo", "value", "responseData")
"""Where a reply tells about itself."""
TIMES = range(946_684_800, 4_102_444_800)
"""2000 to 2100, seconds."""
_NEAR, _ROUGHLY, _STEADY = 30 * SECOND, 300 * SECOND, 3
_STALE = 30 * 86_400 * SECOND
_LIFE = 366 * 86_400
_ONCE = (
    *("auctionId", "buyoutPrice", "card", "currentBid", "secondsRemaining", "nextBid"),
    *("numberOfBids", "postingTime", "auctionStatus"),
)
"""Members of an auction that may not be there twice."""
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
    mended: frozenset[int] = frozenset()
    """Places of the rows whose card cannot be stored as it was served."""
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
        tree = parsed(repaired(body))
        if not isinstance(tree, Spelled):
            raise RefusedError("not_json, unknown_shape")
        details = listed(tree)
        if details is None:
            if _is_error(tree):
                return Reading(error_reply=True)
            raise RefusedError("unknown_shape")
        if not details:
            return Reading(error_reply=_is_error(tree))
        *_, told = (None, *tree.each(*DATA, "responseTime"))
        observed_at = self._observed(values(told), fetched_at)
        rows, definitions, mended = {}, {}, set()
        for place, item in enumerate(details):
            try:
                rows[place], definitions[place], same = read_item(item, observed_at)
            except RefusedError:
                continue
            if not same:
                mended.add(place)
        if rows and observed_at - max(row["posted_at"] for row in rows.values()) > _STALE:
            raise RefusedError("stale_market")
        return Reading(len(details), rows, definitions, frozenset(mended))

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


def parsed(text: bytes) -> Any:
    """How the document is written.

    Raises:
        RefusedError: it is no JSON.
    """
    try:
        return spelled(text)
    except ValueError as error:
        raise RefusedError("malformed") from error


def repaired(body: bytes) -> bytes:
    """The body without byte order mark, each control byte inside a string a space."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    return _STRING.sub(lambda match: match[0].translate(_CONTROL), body)


def read_item(tree: Any, observed_at: int) -> tuple[dict[str, Any], dict[str, Any], bool]:
    """The row of an auction without its place, its card's columns, and whether that is as served.

    Raises:
        RefusedError: it belongs in quarantine.
    """
    if not isinstance(tree, Spelled) or tree.twice(_ONCE):
        raise RefusedError("not_an_object, duplicate_key")
    item = values(tree)
    status, shown = item.get("auctionStatus"), item.get("card")
    if not isinstance(status, str) or UNKEEPABLE.search(status) or not isinstance(shown, dict):
        raise RefusedError("auctionStatus, card")
    status = status.removeprefix("AUCTIONSTATUS_").lower()
    if not 0 < len(status.encode()) <= 64:
        raise RefusedError("auctionStatus")
    bids, posted = _required(item, "numberOfBids"), _required(item, "postingTime")
    current, following = _required(item, "currentBid"), _required(item, "nextBid")
    remaining = max(0, _required(item, "secondsRemaining", least=-(2**63)))
    if bids >= 2**31 or posted not in TIMES or remaining > _LIFE:
        raise RefusedError("numberOfBids, postingTime, secondsRemaining")
    if type(item.get("buyoutPrice")) not in (int, type(None)):
        raise RefusedError("buyoutPrice")
    acquired = _whole(shown, "acquisitionTimestamp", least=-(2**63))
    card = next(tree.each("card"))
    if card.twice(["cardId"]):
        raise RefusedError("duplicate_key in the card")
    definition, same = cards.definition(card)
    row = {
        "auction_id": _required(item, "auctionId", least=1),
        "card_id": _required(shown, "cardId", least=1),
        "card_instance_id": _whole(shown, "cardInstanceId", least=-(2**63)),
        "acquired_at": acquired if acquired and acquired // SECOND in TIMES else None,
        "posted_at": posted * SECOND,
        "expires_at": observed_at + remaining * SECOND,
        "status": status,
        "start_price": current if bids == 0 and current == following else None,
        "buyout_price": _whole(item, "buyoutPrice") or None,
        "current_bid": current,
        "next_bid": following,
        "bids": bids,
        "median_price": _whole(item, "medianAuctionPrice"),
        "min_price": _whole(item, "minListingPrice"),
        "max_price": _whole(item, "maxListingPrice"),
        "observed_at": observed_at,
        "card": canonical(definition),
    }
    return row, cards.columns(values(definition)), same


def _whole(item: Mapping[str, Any], name: str, *, least: int = 0) -> int | None:
    """What a bigint column holds; None for anything else."""
    value = item.get(name)
    return value if type(value) is int and least <= value < 2**63 else None


def _required(item: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    value = _whole(item, name, least=least)
    if value is None:
        raise RefusedError(name)
    return value


def listed(tree: Spelled) -> list[Any] | None:
    """The one list of auctions."""
    found = [*tree.each("responseInfo", "value", "details")]
    while found and not isinstance(found[0], list):
        del found[0]
    if len(found) > 1 or (found and len(found[0]) > 10_000):
        raise RefusedError("duplicate_key, too_many")
    return found[0] if found else None


def _is_error(tree: Spelled) -> bool:
    codes = map(values, tree.each(*DATA, "uiErrorCode"))
    said = (*tree.each("success"), *tree.each("responseInfo", "value", "success"))
    return (
        any(isinstance(error, Spelled) for error in tree.each("error"))
        or any(
            _whole({"": values(code)}, "", least=-(2**63)) is not None for code in tree.each("code")
        )
        or any(word is False for word in said)
        or any(not says_nothing(code) for code in codes)
    )


def says_nothing(code: Any) -> bool:
    """Whether an error code, or a captcha, is none."""
    return (
        code is None
        or code is False
        or code == 0
        or (isinstance(code, str) and code.strip() in ("", "0"))
    )
