"""How others read the same pages: bytes in, rows with our columns and our values out.

Peers are spared what they could do without: the hash of a card's definition (they look it up by
card id), our checks of ranges and our reports of what is odd. Times stay integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
import orjson
import simdjson
from benches.pages import PLATFORM, RULES

_PER_COPY = frozenset(RULES.per_copy)
STATUS = {f"AUCTIONSTATUS_{s.upper()}": s for s in ("active", "ended", "expired", "cancelled")}
SECOND = 1_000_000

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Cards:
    """What a peer is told about cards beforehand."""

    versions: Mapping[int, int]
    """Version of each card that will be seen."""
    known: AbstractSet[int]
    """Ids of cards that are stored already."""


@dataclass(slots=True)
class Rows:
    """Rows in the order of `AUCTION_COLUMNS` and `CARD_COLUMNS`."""

    auctions: list[Row] = field(default_factory=list)
    cards: list[Row] = field(default_factory=list)


Reader = Callable[[Sequence[bytes]], Rows]


def load_only(pages: Sequence[bytes]) -> list[Any]:
    """``orjson.loads`` and nothing else."""
    return [orjson.loads(page) for page in pages]


def tape_only(pages: Sequence[bytes]) -> int:
    """The tape that simdjson makes of each page, nothing of it read; the number of pages."""
    parser = simdjson.Parser()
    return sum(parser.parse(page) is not None for page in pages)


def orjson_reader(cards: Cards) -> Reader:
    """The plain way: `orjson.loads`, then the values from its dicts."""

    def read(pages: Sequence[bytes]) -> Rows:
        rows, seen = Rows(), set(cards.known)
        for number, page in enumerate(pages):
            value = orjson.loads(page)["responseInfo"]["value"]
            at = value["responseData"]["responseTime"]
            for item, auction in enumerate(value["details"]):
                rows.auctions.append(_auction(number, item, auction, cards.versions, at))
                card_id = auction["card"]["cardId"]
                if card_id not in seen:
                    seen.add(card_id)
                    rows.cards.append(_card(auction["card"], cards.versions[card_id], at))
        return rows

    return read


def simdjson_reader(cards: Cards) -> Reader:
    """The needed values alone become Python objects, out of simdjson's tape; no new cards."""
    parser = simdjson.Parser()

    def page_rows(number: int, page: bytes) -> Iterator[Row]:
        value: Any = parser.parse(page)["responseInfo"]["value"]
        at = value["responseData"]["responseTime"]
        for item, auction in enumerate(value["details"]):
            yield _auction(number, item, auction, cards.versions, at)

    def read(pages: Sequence[bytes]) -> Rows:
        return Rows(list(chain.from_iterable(page_rows(i, p) for i, p in enumerate(pages))))

    return read


class _Struct(msgspec.Struct, gc=False, rename="camel"):
    """Reads only the members it declares; the rest is passed over."""


class _Copy(_Struct):
    card_id: int
    card_instance_id: int
    acquisition_timestamp: int


class _Auction(_Struct):
    auction_id: int
    buyout_price: int
    card: _Copy
    current_bid: int
    seconds_remaining: int
    median_auction_price: int
    max_listing_price: int
    min_listing_price: int
    next_bid: int
    number_of_bids: int
    posting_time: int
    auction_status: str


class _Times(_Struct):
    response_time: int


class _Value(_Struct):
    details: list[_Auction]
    response_data: _Times


class _Info(_Struct):
    value: _Value


class _Reply(_Struct):
    response_info: _Info


class _RawCard(_Struct):
    card: msgspec.Raw


class _RawValue(_Struct):
    details: list[_RawCard]


class _RawInfo(_Struct):
    value: _RawValue


class _RawReply(_Struct):
    response_info: _RawInfo


TYPED = msgspec.json.Decoder(_Reply)
_CARDS = msgspec.json.Decoder(_RawReply)


def msgspec_reader(cards: Cards) -> Reader:
    """Typed structs of the needed members, one decoder for all pages, then tuples.

    A page that shows unknown cards is read a second time, for the bytes of its cards alone: cheaper
    than keeping them from every page.
    """

    def read(pages: Sequence[bytes]) -> Rows:
        rows, seen, versions = Rows(), set(cards.known), cards.versions
        for number, page in enumerate(pages):
            value = TYPED.decode(page).response_info.value
            at = value.response_data.response_time
            rows.auctions += [
                _typed(number, item, auction, versions, at)
                for item, auction in enumerate(value.details)
            ]
            shown = [a.card.card_id for a in value.details]
            if not seen.issuperset(shown):
                raws = _CARDS.decode(page).response_info.value.details
                for card_id, raw in zip(shown, raws, strict=True):
                    if card_id not in seen:
                        seen.add(card_id)
                        card = orjson.loads(memoryview(raw.card))
                        rows.cards.append(_card(card, versions[card_id], at))
        return rows

    return read


def _typed(page: int, item: int, a: _Auction, versions: Mapping[int, int], at: int) -> Row:
    card, bid, bids, next_bid = a.card, a.current_bid, a.number_of_bids, a.next_bid
    return (
        page,
        item,
        PLATFORM,
        a.auction_id,
        card.card_id,
        versions[card.card_id],
        card.card_instance_id,
        card.acquisition_timestamp or None,
        a.posting_time * SECOND,
        at + a.seconds_remaining * SECOND,
        STATUS[a.auction_status],
        bid if bids == 0 and bid == next_bid else None,
        a.buyout_price or None,
        bid,
        next_bid,
        bids,
        a.median_auction_price,
        a.min_listing_price,
        a.max_listing_price,
        at,
    )


def _auction(page: int, item: int, a: Any, versions: Mapping[int, int], at: int) -> Row:
    card, bid, bids = a["card"], a["currentBid"], a["numberOfBids"]
    card_id, next_bid = card["cardId"], a["nextBid"]
    return (
        page,
        item,
        PLATFORM,
        a["auctionId"],
        card_id,
        versions[card_id],
        card["cardInstanceId"],
        card["acquisitionTimestamp"] or None,
        a["postingTime"] * SECOND,
        at + a["secondsRemaining"] * SECOND,
        STATUS[a["auctionStatus"]],
        bid if bids == 0 and bid == next_bid else None,
        a["buyoutPrice"] or None,
        bid,
        next_bid,
        bids,
        a["medianAuctionPrice"],
        a["minListingPrice"],
        a["maxListingPrice"],
        at,
    )


def _card(card: dict[str, Any], version: int, at: int) -> Row:
    twins = card["cardData"] == card["staticCardData"]
    left_out = _PER_COPY | {"staticCardData"} if twins else _PER_COPY
    definition = {name: value for name, value in card.items() if name not in left_out}
    player, program = card["cardData"]["value"], card["program"]
    return (
        card["cardId"],
        version,
        f"{card['firstName']} {card['secondName']}",
        RULES.positions[player["position"]],
        player["overallRating"],
        card["tier"],
        program["programId"],
        program["programName"],
        card["teamId"],
        card["type"].removeprefix("CARDTYPE_").lower(),
        card["discardValue"],
        card["discardBankCurrencyId"],
        orjson.dumps(definition, option=orjson.OPT_SORT_KEYS).decode(),
        at,
    )
