"""Thousands of real-shape cards, whole and damaged: recognised ones are read like first ones."""

from __future__ import annotations

import random

import pytest
from tests.support.wire import T0

from m26 import _native
from m26._native import Batch, Normalizer
from m26.sim.cards import Deck, auction_json
from m26.upstream.profile import Profile

RULES = Profile.load("madden26").card
HEAD = b'{"responseInfo":{"value":{"details":['
TAIL = b'],"responseData":{"responseTime":%d}}}}' % (T0 * 1_000_000)
WORDS = (b"", b" ", b"0", b"null", b'"cardId":1,', b'"cardState":7,', b"\\u0041", b"\xff", b"\x01")


def normalizer() -> Normalizer:
    return _native.Normalizer(per_copy=RULES.per_copy, positions=RULES.positions)


def read(native: Normalizer, item: bytes) -> Batch:
    return native.normalize([HEAD + item + TAIL], platforms=["ps5"], fetched_at=[0])


@pytest.fixture
def rng(seed: int) -> random.Random:
    return random.Random(seed)


@pytest.fixture
def items(rng: random.Random) -> list[bytes]:
    """Two copies of each of 400 cards, in any order."""
    deck = Deck(rng.randrange(2**32), 400)
    numbers = [*range(deck.size)] * 2
    rng.shuffle(numbers)
    return [
        auction_json(
            deck.card(number),
            auction_id=place + 1,
            instance_id=rng.randrange(2**40),
            acquired=(T0 - rng.randrange(9_000_000)) * 1_000_000,
            buyout=rng.randrange(9_000),
            current_bid=100,
            next_bid=100,
            bids=0,
            posted=T0 - rng.randrange(86_400),
            seconds_remaining=60,
        )
        for place, number in enumerate(numbers)
    ]


def damaged(rng: random.Random, item: bytes) -> bytes:
    """The item with one to three bytes of its card changed, gone, or with a word between them."""
    text = bytearray(item)
    begin = text.index(b'"card":{') + 8
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(begin, len(text) - 300)
        match rng.randrange(3):
            case 0:
                text[at] ^= 1 << rng.randrange(8)
            case 1:
                del text[at]
            case _:
                text[at:at] = rng.choice(WORDS)
    return bytes(text)


def test_known_cards_are_read_like_first_ones(items: list[bytes], rng: random.Random) -> None:
    known = normalizer()
    stored = rejected = 0
    for item in items:
        for copy in (item, *(damaged(rng, item) for _ in range(4)), item):
            ours, fresh = read(known, copy), read(normalizer(), copy)
            assert bytes(ours.auctions) == bytes(fresh.auctions)
            assert ours.rejects == fresh.rejects
            assert bytes(ours.cards) == bytes(fresh.cards)
            stored += ours.counts["auctions"]
            rejected += ours.counts["rejects"]
    assert stored > len(items) * 2
    assert rejected > len(items)


def test_a_damaged_card_has_another_version_or_is_rejected(
    items: list[bytes], rng: random.Random
) -> None:
    known = normalizer()
    for item in items[:200]:
        (row,) = read(known, item).rows()
        card = read(normalizer(), item).card_rows()
        for _ in range(10):
            batch = read(known, damaged(rng, item))
            for other in batch.rows():
                same = other[4:6] == row[4:6]
                assert same == ([c[:-1] for c in batch.card_rows()] == [c[:-1] for c in card])


def test_each_card_has_one_version(items: list[bytes]) -> None:
    known = normalizer()
    batches = [read(known, item) for item in items]
    versions = {batch.rows()[0][4:6] for batch in batches}
    assert len(versions) == 400
    assert all(batch.rejects == [] and batch.cards.rows == 1 for batch in batches)
    for batch in batches:
        known.confirm(batch)
    assert all(read(known, item).cards.rows == 0 for item in items)
