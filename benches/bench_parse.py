"""Parse: pages in, rows in memory out, on one thread. No database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median
from typing import Any

import pytest
from benches import bars, figures, ours, peers, race, without_avx2
from benches.figures import Figure
from benches.ours import Encoded
from benches.pages import BATCH, PER_PAGE, PLATFORM, START, Market
from benches.peers import Cards, Reader, Rows
from benches.race import Against, Contender, Race
from pytest_benchmark.fixture import BenchmarkFixture

import m26

AUCTIONS = BATCH * PER_PAGE
OURS, MSGSPEC, ORJSON = "m26", "msgspec typed + tuples", "orjson + dicts to tuples"
TAPE = "pysimdjson tape only, no rows"
WORK = f"{BATCH} pages of {PER_PAGE} fresh auctions a round, one thread. "
against = partial(Against, id="P1", tolerance=bars.PARSE)


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

    def check_auctions(self, pages: Sequence[bytes], rows: Rows) -> None:
        assert rows == Rows(self.of(pages).auctions)

    def check_encoded(self, pages: Sequence[bytes], made: Encoded) -> None:
        truth = self.of(pages)
        assert (made.auctions.rows, made.cards.rows) == (len(truth.auctions), len(truth.cards))
        assert Rows(made.batch.rows(), made.batch.card_rows()) == truth

    def check_stored(self, pages: Sequence[bytes], made: Encoded) -> None:
        assert (made.auctions.rows, made.cards.rows) == (len(pages) * PER_PAGE, 0)
        assert made.batch.rows() == self.of(pages).auctions


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
    benchmark: BenchmarkFixture,
    market: Market,
    catalogue: list[bytes],
    rounds: int,
    smoke: bool,
) -> None:
    versions = ours.versions(catalogue)
    cards = Cards(versions, versions.keys())
    truth, reader = Truth(catalogue), ours.normalizer(catalogue)
    library = Market().batch(pages=BATCH if smoke else 10 * BATCH)
    library_truth = Truth()

    def peer(label: str, make: Callable[[Cards], Reader]) -> Contender:
        return Contender(label, make(cards), truth.check_rows)

    race.run(
        benchmark,
        Race(
            part="P1",
            title="Parse: auctions unseen, cards seen before",
            note=f"{WORK}All but the two that build no rows must give the same rows. "
            f"m26.normalize is given {len(library)} pages in one call, as a library's user would, "
            "and begins without any card each time: it learns them within the call.",
            ours=OURS,
            bars=[
                against(peer=MSGSPEC, at_least=5.0),
                against(peer=TAPE, at_least=4.0),
                against(peer=ORJSON, at_least=25.0),
            ],
        ),
        [
            Contender(OURS, partial(ours.encoded, reader), truth.check_encoded),
            Contender(
                f"m26.normalize, {len(library)} pages, no card known",
                _public,
                lambda _, made: library_truth.check_encoded(library, made),
                prepare=lambda _: library,
                auctions=len(library) * PER_PAGE,
            ),
            peer(MSGSPEC, peers.msgspec_reader),
            peer(ORJSON, peers.orjson_reader),
            peer("pysimdjson to tuples", peers.simdjson_reader),
            Contender(TAPE, peers.tape_only, counts_pages),
            Contender("orjson.loads only, no rows", peers.load_only, counts_pages),
        ],
        rounds=rounds,
        work=lambda number: market.batch(at=START + number),
        auctions=AUCTIONS,
    )


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
            part="P1",
            title=f"Parse: {share} % of the auctions show a new card",
            note=WORK + "New cards also give a card row with the definition as canonical JSON.",
            ours=OURS,
            bars=[against(peer=MSGSPEC, at_least=3.0)],
        ),
        [
            Contender(OURS, partial(ours.encoded, reader), truth.check_encoded),
            Contender(MSGSPEC, peers.msgspec_reader(cards), truth.check_rows),
            Contender(ORJSON, peers.orjson_reader(cards), truth.check_rows),
        ],
        rounds=rounds,
        work=batches.__getitem__,
        auctions=AUCTIONS,
    )


def test_parse_all_cards_new(benchmark: BenchmarkFixture, market: Market, rounds: int) -> None:
    pages = market.batch(pages=5, new_cards=5 * PER_PAGE)
    cards, truth = Cards(ours.versions(pages), frozenset()), Truth()
    race.run(
        benchmark,
        Race(
            part="P1",
            title="Parse: every auction shows a new card",
            note=f"5 pages of {PER_PAGE} auctions a round, one thread. Each reader begins without "
            "any card, as at the very first start, and gives a card row for each auction.",
            ours=OURS,
            bars=[
                against(peer=MSGSPEC, at_least=1.5),
                against(peer=ORJSON, at_least=8.0, tolerance=bars.ALL_NEW),
            ],
        ),
        [
            Contender(
                OURS,
                lambda given: ours.encoded(*given),
                truth.check_encoded,
                prepare=lambda pages: (ours.normalizer(), pages),
            ),
            Contender("m26.normalize, the library's entry", _public, truth.check_encoded),
            Contender(MSGSPEC, peers.msgspec_reader(cards), truth.check_rows),
            Contender(ORJSON, peers.orjson_reader(cards), truth.check_rows),
        ],
        rounds=rounds,
        work=lambda _: pages,
        auctions=5 * PER_PAGE,
    )


def test_parse_all_cards_stored_and_none_held(
    benchmark: BenchmarkFixture, market: Market, rounds: int
) -> None:
    pages = market.batch(pages=5, new_cards=5 * PER_PAGE)
    versions = ours.versions(pages)
    cards, truth = Cards(versions, versions.keys()), Truth()
    race.run(
        benchmark,
        Race(
            part="P1",
            title="Parse: every card is stored and none is held, auction rows alone",
            note=f"5 pages of {PER_PAGE} auctions a round, one thread, each of another card. As "
            "after a restart: no card has to be sent, so that the peers need not read any; m26 "
            "reads each in full before it believes it.",
            ours=OURS,
        ),
        [
            Contender(
                OURS,
                lambda given: ours.encoded_stored(*given),
                truth.check_stored,
                prepare=lambda pages: (ours.restarted(pages), pages),
            ),
            Contender(MSGSPEC, peers.msgspec_reader(cards), truth.check_auctions),
            Contender(ORJSON, peers.orjson_reader(cards), truth.check_auctions),
        ],
        rounds=rounds,
        work=lambda _: pages,
        auctions=5 * PER_PAGE,
    )


def test_parse_without_avx2(benchmark: BenchmarkFixture) -> None:
    found = benchmark.pedantic(without_avx2.ratios, rounds=1)
    figures.note(
        benchmark,
        title="Parse: on a CPU without AVX2",
        note=f"{BATCH} pages of {PER_PAGE} fresh auctions of known cards a round, in a process in "
        f"which libc finds neither AVX2 nor AVX-512. Median of {len(found)} rounds.",
        figures=[
            Figure(
                "cards known, no AVX2",
                median(found),
                bars.TIMES,
                at_least=1.5,
                id="P1",
                against=MSGSPEC,
                tolerance=bars.PARSE,
            )
        ],
    )
    assert len(found) == without_avx2.ROUNDS


def _public(pages: Sequence[bytes]) -> Encoded:
    batch = m26.normalize(pages, platform=PLATFORM, profile="sim")
    return Encoded(batch, batch.auctions, batch.cards)
