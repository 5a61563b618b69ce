"""Pages in: the core's rows are those of a plain reader, whatever cards it has seen before.

An input is one or more pages. What is JSON by its grammar must give the reader's rows, cards,
quarantined places and error replies. What is none gives nothing, unless the fault is inside items
that are quarantined: then the rest is held against the reader. m26 takes what the standard library
refuses in two cases: a byte order mark, and control bytes inside strings, which are read as spaces.

A page that is nested deeper than Python follows is held against nothing but other readings of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.fuzz.cards import RULES
from tests.fuzz.reader import Reader, Reading, RefusedError, parsed, read_item, repaired
from tests.fuzz.respell import respelled
from tests.fuzz.spelled import canonical, spelled
from tests.support import wire

import m26
from m26._native import AUCTION_COLUMNS, CARD_COLUMNS, Batch, Normalizer

SEPARATOR = b"\n\0\n"
"""Between the pages of an input."""
_MOST_PAGES = 8
_AHEAD = (0, 0, 1, 400, -2)
"""Seconds that our clock is ahead of T0, page by page; 0 for a page without receive time."""
_PLATFORM = "ps5"
MENDED = "card_mended"
"""The reason of a reject that keeps the bytes of a card; its auction is stored."""


def run(data: bytes) -> object:
    """Read the pages in every way there is; the kinds of what came of it."""
    pages = data.split(SEPARATOR, _MOST_PAGES - 1)
    ahead = [_AHEAD[number % len(_AHEAD)] for number in range(len(pages))]
    times = [(wire.T0 + seconds) * 1_000_000 if seconds else 0 for seconds in ahead]
    batch = m26.normalize(pages, platform=_PLATFORM, fetched_at=times)
    rejects: list[list[Any]] = [[] for _ in pages]
    for reject in batch.rejects:
        rejects[reject[0]].append(reject)
    reader = Reader()
    try:
        readings = [
            _reading(reader, page, fetched_at, found)
            for page, fetched_at, found in zip(pages, times, rejects, strict=True)
        ]
        _compare(batch, readings)
    except RecursionError:
        return "too deep"
    finally:
        _warm_like_cold(pages)
    reasons = sorted({reject[4] for reject in batch.rejects})
    return reasons, min(batch.auctions.rows, 4), min(batch.cards.rows, 3), len(batch.refused)


def changed(rng: random.Random, data: bytes, donor: bytes) -> bytes:
    """One page of the input spelled or filled differently, or one more page like it."""
    pages = data.split(SEPARATOR)
    at = rng.randrange(len(pages))
    page = respelled(rng, pages[at], rng.choice(donor.split(SEPARATOR)))
    if rng.random() < 0.3:
        pages.insert(rng.randrange(len(pages) + 1), page)
    else:
        pages[at] = page
    return SEPARATOR.join(pages)


def _reading(
    reader: Reader, page: bytes, fetched_at: int, rejects: Sequence[tuple[Any, ...]]
) -> Reading:
    """What the page must come to, held against what was quarantined of it."""
    whole = any(item is None for _, item, *_ in rejects)
    try:
        parsed(repaired(page))
    except RefusedError:
        if whole:
            return Reading()
        spans = [(start, stop) for _, _, start, stop, reason, _ in rejects if reason != MENDED]
        page = _without(page, spans)
    try:
        reading = reader.read(page, fetched_at=fetched_at)
    except RefusedError:
        assert whole, "a page that gives nothing was read"
        assert len(rejects) == 1
        return Reading()
    assert not whole, rejects
    places = [place for place in range(reading.items) if place not in reading.rows]
    lost = [item for _, item, *_, reason, _ in rejects if reason != MENDED]
    assert lost == places
    return reading


def _without(page: bytes, spans: Sequence[tuple[int, int]]) -> bytes:
    """The page with null in place of each of these items, all of which belong in quarantine."""
    for start, stop in reversed(spans):
        try:
            item = repaired(page[start:stop])
            read_item(parsed(item), observed_at=0)
        except RefusedError:
            page = page[:start] + b"null" + page[stop:]
        else:
            raise AssertionError("a good item is in quarantine")
    return page


def _compare(batch: Batch, readings: Sequence[Reading]) -> None:
    error_replies = [n for n, reading in enumerate(readings) if reading.error_reply]
    assert batch.refused == error_replies
    expected = [
        {"page": number, "item": place, "platform": _PLATFORM, **row}
        for number, reading in enumerate(readings)
        for place, row in reading.rows.items()
    ]
    definitions = [row.pop("card") for row in expected]
    columns = [card for reading in readings for card in reading.cards.values()]
    rows = list(_named(AUCTION_COLUMNS, batch.rows()))
    keys = [(row["card_id"], row.pop("card_version")) for row in rows]
    assert rows == expected, (rows, expected)

    first = {key: place for place, key in reversed([*enumerate(keys)])}
    assert [definitions[first[key]] for key in keys] == definitions, "one version, two definitions"
    assert len({*definitions}) == len(first), "one definition, two versions"
    cards = list(_named(CARD_COLUMNS, batch.card_rows()))
    written = [canonical(spelled(card.pop("attributes").encode())) for card in cards]
    places = sorted(first.values())
    changed = [
        place
        for place in places
        if expected[place]["item"] in readings[expected[place]["page"]].mended
    ]
    kept = [(page, item) for page, item, *_, reason, _ in batch.rejects if reason == MENDED]
    assert kept == [(expected[place]["page"], expected[place]["item"]) for place in changed]
    assert written == [definitions[place] for place in places]
    expected_cards = [
        {**columns[at], "version": keys[at][1], "first_seen": expected[at]["observed_at"]}
        for at in places
    ]
    assert cards == expected_cards, (cards, expected_cards)


def _named(
    columns: Sequence[tuple[str, str]], rows: Sequence[tuple[Any, ...]]
) -> Iterator[dict[str, Any]]:
    names = [name for name, _ in columns]
    return (dict(zip(names, row, strict=True)) for row in rows)


def _warm_like_cold(pages: Sequence[bytes]) -> None:
    """A reader that has seen the pages reads each like one that has seen none."""
    warm = _normalizer()
    for page in [*pages, *pages]:
        seen, fresh = _facts(_read(warm, page)), _facts(_read(_normalizer(), page))
        assert seen == fresh
    for page in pages:
        warm.confirm(_read(warm, page))
        again = _read(warm, page)
        assert again.cards.rows == 0
        assert bytes(again.auctions) == bytes(_read(_normalizer(), page).auctions)


def _facts(batch: Batch) -> Mapping[str, Any]:
    return {
        "auctions": bytes(batch.auctions),
        "cards": bytes(batch.cards),
        "rejects": batch.rejects,
        "refused": batch.refused,
        "places": [batch.locate(row) for row in range(batch.auctions.rows)],
    }


def _normalizer() -> Normalizer:
    return Normalizer(per_copy=RULES.per_copy, positions=RULES.positions)


def _read(native: Normalizer, page: bytes) -> Batch:
    return native.normalize([page], platforms=[_PLATFORM], fetched_at=[0])
