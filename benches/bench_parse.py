"""Parse: pages in, rows in memory out, on one thread. No database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from benches import ours, peers, race
from benches.pages import BATCH, PER_PAGE, PLATFORM, START, Market
from benches.peers import Cards, Reader, Rows
from benches.race import Bar, Contender, Race
from pytest_benchmark.fixture import BenchmarkFixture

import m26
from m26 import _native

AUCTIONS = BATCH * PER_PAGE
OURS, MSGSPEC, ORJSON = "m26", "msgspec typed + tuples", "orjson + dicts to tuples"
WORK = f"{BATCH} pages of {PER_PAGE} fresh auctions a round, one thread. "


class Truth:
    """What every reader must come to: the rows of a second reader of ours, read untimed."""

    def __init__(self, *seen: Sequence[bytes]) -> None:
        self._reader = ours.normalizer(*seen)
        self._pages: Sequence[bytes] = ()
        self._rows = Rows()

    def of(self, pages: Sequence[bytes]) -> Rows:
        if pages is not self._pages:
            batch = ours.read(self._reader, pages)
            assert batch.rejects == []
            assert batch.drift == []
            self._pages, self._rows = pages, Rows(batch.rows(), batch.card_rows())
        return self._rows

    def check_rows(self, pages: Sequence[bytes], rows: Rows) -> None:
        assert len(rows.auctions) == len(pages) * PER_PAGE
        assert rows == self.of(pages)

    def check_batch(self, pages: Sequence[bytes], batch: _native.Batch) -> None:
        assert batch.auctions.rows == len(pages) * PER_PAGE
        assert Rows(batch.rows(), batch.card_rows()) == self.of(pages)


def counts_pages(given: Sequence[bytes], result: Any) -> None:
    assert (result if isinstance(result, int) else len(result)) == len(given)


@pytest.fixture(scope="module")
def market() -> Market:
    return Market(unseen=2_000)


@pytest.fixture(scope="module")
def catalogue(market: Market) -> list[bytes]:
    return market.catalogue()


def test_the_pages_have_the_size_of_real_ones(market: Market) -> None:
    pages = market.batch()
    assert 12_000 < sum(map(len, pages)) / AUCTIONS < 12_500


def test_parse_cards_known(
    benchmark: BenchmarkFixture, market: Market, catalogue: list[bytes], gate_rounds: int
) -> None:
    versions = ours.versions(catalogue)
    cards = Cards(versions, versions.keys())
    truth, reader = Truth(catalogue), ours.normalizer(catalogue)

    def peer(label: str, make: Callable[[Cards], Reader]) -> Contender:
        return Contender(label, make(cards), truth.check_rows)

    race.run(
        benchmark,
        Race(
            title="Parse: auctions unseen, cards seen before",
            note=WORK + "All but the two that build no rows must give the same rows.",
            ours=OURS,
            bars=[Bar("parse", OURS, MSGSPEC, at_least=1.0, tolerance=0.05)],
        ),
        [
            Contender(OURS, partial(ours.read, reader), truth.check_batch),
            peer(MSGSPEC, peers.msgspec_reader),
            peer(ORJSON, peers.orjson_reader),
            peer("pysimdjson to tuples", peers.simdjson_reader),
            Contender("pysimdjson tape only, no rows", peers.tape_only, counts_pages),
            Contender("orjson.loads only, no rows", peers.load_only, counts_pages),
        ],
        rounds=gate_rounds,
        work=lambda number: market.batch(at=START + number),
        auctions=AUCTIONS,
    )
    race.hold(benchmark)


def test_parse_some_cards_new(
    benchmark: BenchmarkFixture, market: Market, catalogue: list[bytes], rounds: int
) -> None:
    share = 3
    batches = [
        market.batch(at=START + number, new_cards=AUCTIONS * share // 100)
        for number in range(race.WARM_UP + rounds)
    ]
    versions = ours.versions(catalogue, *batches)
    cards = Cards(versions, ours.versions(catalogue).keys())
    truth, reader = Truth(catalogue), ours.normalizer(catalogue)
    race.run(
        benchmark,
        Race(
            title=f"Parse: {share} % of the auctions show a new card",
            note=WORK + "New cards also give a card row with the definition as canonical JSON.",
            ours=OURS,
        ),
        [
            Contender(OURS, partial(ours.read, reader), truth.check_batch),
            Contender(MSGSPEC, peers.msgspec_reader(cards), truth.check_rows),
            Contender(ORJSON, peers.orjson_reader(cards), truth.check_rows),
        ],
        rounds=rounds,
        work=batches.__getitem__,
        auctions=AUCTIONS,
    )


def test_parse_all_cards_new(benchmark: BenchmarkFixture, market: Market, rounds: int) -> None:
    pages = market.batch(pages=5, new_cards=5 * PER_PAGE)
    cards = Cards(ours.versions(pages), frozenset())
    truth = Truth()
    public = "m26.normalize, the library's entry"
    race.run(
        benchmark,
        Race(
            title="Parse: every auction shows a new card",
            note=f"5 pages of {PER_PAGE} auctions a round, one thread. "
            "Each reader begins without any card, as at the very first start.",
            ours=OURS,
        ),
        [
            Contender(
                OURS,
                lambda given: ours.read(*given),
                truth.check_batch,
                prepare=lambda pages: (ours.normalizer(), pages),
            ),
            Contender(public, _public, truth.check_batch),
            Contender(MSGSPEC, peers.msgspec_reader(cards), truth.check_rows),
            Contender(ORJSON, peers.orjson_reader(cards), truth.check_rows),
        ],
        rounds=rounds,
        work=lambda _: pages,
        auctions=5 * PER_PAGE,
    )


def _public(pages: Sequence[bytes]) -> _native.Batch:
    return m26.normalize(pages, platform=PLATFORM, profile="sim")
