"""Batches are read without the GIL, from any number of threads."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest
from tests.support.wire import T0

from m26 import _native
from m26._native import Batch, Normalizer
from m26.sim.cards import Deck, auction_json

PER_COPY = ["cardInstanceId", "acquisitionTimestamp", "acquisitionDateString"]


def page(deck: Deck, number: int, *, size: int = 20) -> bytes:
    """A search reply of real-shape auctions; each page has some cards of its own."""
    items = (
        auction_json(
            deck.card((number * 7 + place) % deck.size),
            auction_id=number * 1_000 + place + 1,
            instance_id=number * 1_000 + place + 1,
            acquired=(T0 - 9_000) * 1_000_000,
            buyout=5_000,
            current_bid=100,
            next_bid=100,
            bids=0,
            posted=T0 - 60,
            seconds_remaining=3_600,
        )
        for place in range(size)
    )
    time_ = b'{"responseTime":%d}' % (T0 * 1_000_000)
    value = b'{"details":[%b],"responseData":%b}' % (b",".join(items), time_)
    return b'{"responseInfo":{"value":%b}}' % value


@pytest.fixture(scope="module")
def pages() -> list[bytes]:
    deck = Deck(26, 60)
    return [page(deck, number) for number in range(12)]


def normalizer() -> Normalizer:
    return _native.Normalizer(per_copy=PER_COPY, positions={})


def read(native: Normalizer, pages: list[bytes]) -> Batch:
    return native.normalize(pages, platforms=["ps5"] * len(pages), fetched_at=[0] * len(pages))


@pytest.fixture
def no_forced_switches() -> Iterator[None]:
    """No thread gives the GIL up but by itself."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1_000)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("no_forced_switches")
def test_another_thread_goes_on_while_a_batch_is_read(pages: list[bytes]) -> None:
    steps = 0
    done = Event()

    def count() -> None:
        nonlocal steps
        while not done.is_set():
            steps += 1
            time.sleep(0)

    counter = Thread(target=count)
    counter.start()
    try:
        for _ in range(200):
            before = steps
            read(normalizer(), pages)
            if steps > before:
                break
        else:
            pytest.fail("the other thread never moved while a batch was read")
    finally:
        done.set()
        counter.join()


def test_threads_that_share_payloads_read_the_same(pages: list[bytes]) -> None:
    expected = read(normalizer(), pages)
    assert (expected.rejects, expected.cards.rows) == ([], 60)
    with ThreadPoolExecutor(8) as pool:
        for batch in pool.map(lambda _: read(normalizer(), pages), range(24)):
            assert bytes(batch.auctions) == bytes(expected.auctions)
            assert bytes(batch.cards) == bytes(expected.cards)
            assert batch.counts == expected.counts


def test_threads_that_share_a_normalizer_read_the_same(pages: list[bytes]) -> None:
    expected = [bytes(read(normalizer(), [page]).auctions) for page in pages]
    shared = normalizer()

    def work(number: int) -> tuple[int, bytes]:
        batch = read(shared, [pages[number % len(pages)]])
        shared.confirm(batch)
        return number % len(pages), bytes(batch.auctions)

    with ThreadPoolExecutor(8) as pool:
        for number, auctions in pool.map(work, range(60)):
            assert auctions == expected[number]
    assert read(shared, pages).cards.rows == 0  # all confirmed


def test_cards_are_sent_until_they_are_confirmed(pages: list[bytes]) -> None:
    native = normalizer()
    first = read(native, pages)
    assert bytes(read(native, pages).cards) == bytes(first.cards)
    native.confirm(first)
    again = read(native, pages)
    assert (again.cards.rows, again.auctions.rows) == (0, first.auctions.rows)
    assert bytes(again.auctions) == bytes(first.auctions)
