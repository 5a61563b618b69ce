"""What is paid where everybody knows what a card is worth: near the value, but for snipes, bait and
wash trades, and the ledger knows which is which.  The seeds are fixed."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import orjson
import pytest

from m26.sim.behaviour import DEFAULT, Behaviour
from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.market import Market
from m26.sim.records import State, Truth, Worth
from m26.sim.tempo import Tempo

START = 1_790_000_000
TEMPO = Tempo(size=500, speed=144)
HOUR = 25
"""Of the market, by the clock."""
DAY = 24 * HOUR


def behaviour(prices: str) -> Behaviour:
    return DEFAULT.changed({"prices": prices})


def market(ledger: Ledger, prices: str, platform: str = "sim", now: float = START) -> Market:
    deck = Deck(ledger.fact("seed", 26))
    return Market(platform, deck, ledger, TEMPO, now=now, behaviour=behaviour(prices))


def run(subject: Market, hours: int, start: float = START) -> float:
    for hour in range(hours):
        subject.advance(start + (hour + 1) * HOUR)
    return start + hours * HOUR


@dataclass(frozen=True, slots=True)
class World:
    """What the ledger of a market says of some days."""

    truths: list[Truth]
    """Of what was posted since the start, in the order of the ends."""
    worths: dict[int, Worth]
    far: dict[int, float]
    """How far the price was above the value at the end, in logs, of each sale."""
    firsts: dict[int, State]

    def sales(self, motive: str) -> list[Truth]:
        """Those of a motive."""
        return [truth for truth in self.of(motive) if truth.outcome == "sold"]

    def of(self, motive: str) -> list[Truth]:
        """What became of all offers of a motive."""
        return [t for t in self.truths if self.worths[t.listing.auction_id].motive == motive]


def world(path: Path, prices: str) -> World:
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        subject = market(ledger, prices)
        run(subject, 72)
        ledger.flush()
        truths = [truth for truth in reader.truths() if truth.listing.posted > START]
        truths.sort(key=lambda truth: truth.ended_at)
        far = {
            truth.listing.auction_id: math.log(
                truth.final_price / reader.value("sim", truth.listing.card_id, truth.ended_at)
            )
            for truth in truths
            if truth.final_price is not None
        }
        firsts = {state.auction_id: state for state in reader.states() if state.cause == "list"}
        return World(truths, reader.worths("sim"), far, firsts)


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory.mktemp("still") / "ledger.db", "static")


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world(tmp_path_factory.mktemp("moving") / "ledger.db", "drift-wash")


@pytest.mark.parametrize("kind", ["still", "moving"])
def test_honest_sales_are_near_the_value(kind: str, request: pytest.FixtureRequest) -> None:
    found: World = request.getfixturevalue(kind)
    far = [found.far[truth.listing.auction_id] for truth in found.sales("honest")]
    assert statistics.median(far) == pytest.approx(0, abs=0.015)
    low, *_, high = statistics.quantiles(far, n=20)
    assert (low, high) == (pytest.approx(-0.105, abs=0.025), pytest.approx(0.1, abs=0.035))


def test_auctions_end_in_about_the_shares_that_they_end_in_elsewhere(moving: World) -> None:
    ends = Counter(truth.via or truth.outcome for truth in moving.truths)
    told = {"buyout": 0.33, "bid": 0.27, "expired": 0.37, "cancelled": 0.03}
    for how, share in told.items():
        assert ends[how] / ends.total() == pytest.approx(share, abs=0.04), how


def test_a_snipe_is_far_too_cheap_and_gone_at_once(still: World) -> None:
    sales = still.sales("snipe")
    everything = [truth for truth in still.truths if truth.outcome == "sold"]
    assert len(sales) / len(everything) == pytest.approx(0.1, abs=0.035)
    far = [still.far[truth.listing.auction_id] for truth in sales]
    assert max(far) < -0.1
    stood = [(truth.ended_at - truth.listing.posted) * TEMPO.speed for truth in sales]
    assert statistics.median(stood) < 200, "a second of the clock is 144 of the market's"


def test_bait_stands_unsold_at_an_odd_price(moving: World) -> None:
    bait = moving.of("bait")
    assert len(bait) / len(moving.truths) == pytest.approx(0.04, abs=0.015)
    assert {truth.outcome for truth in bait} == {"expired"}
    for truth in bait:
        ask = moving.firsts[truth.listing.auction_id].buyout
        assert ask / moving.worths[truth.listing.auction_id].value > 2.7
        assert truth.ended_at == truth.listing.expires


def test_wash_trades_come_in_bursts_of_few_copies_at_a_wrong_price(moving: World) -> None:
    sales = moving.sales("wash")
    assert {truth.via for truth in sales} == {"buyout"}
    assert len(sales) == len(moving.of("wash"))
    share = len(sales) / sum(truth.outcome == "sold" for truth in moving.truths)
    assert 0.02 < share < 0.15
    sales.sort(key=lambda truth: truth.listing.card_id)
    copies: Counter[int] = Counter()
    for _, of_card in groupby(sales, key=lambda truth: truth.listing.card_id):
        washed = sorted(of_card, key=lambda truth: truth.ended_at)
        prices = [moving.far[truth.listing.auction_id] for truth in washed]
        assert min(prices) > math.log(1.2)
        bursts = 1 + sum(b.ended_at - a.ended_at > DAY / 6 for a, b in pairwise(washed))
        number = len({truth.listing.instance_id for truth in washed})
        assert number <= 4 * bursts
        if bursts == 1:
            assert len(washed) <= 11
            copies[number] += 1
        for copy in {truth.listing.instance_id for truth in washed}:
            own = [truth for truth in washed if truth.listing.instance_id == copy]
            for before, after in pairwise(own):
                assert after.listing.acquired == int(before.ended_at) * 1_000_000
    assert copies[1] > sum(copies.values()) / 2
    assert max(copies) > 1, "and some have several"


def test_an_auction_shows_a_median_near_what_its_card_is_worth(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        subject = market(ledger, "drift-wash")
        end = run(subject, 5)
        for auction in subject.search(0, 1_000):
            shown = orjson.loads(subject.render(auction, int(end)))
            assert auction.worth is not None
            assert shown["medianAuctionPrice"] / auction.worth.value == pytest.approx(1, abs=0.065)
            least, most = shown["minListingPrice"], shown["maxListingPrice"]
            assert least <= auction.state.buyout <= most + 1 or not auction.state.buyout


def test_thin_cards_are_among_those_that_sell(moving: World) -> None:
    sold = Counter(truth.listing.card for truth in moving.truths if truth.outcome == "sold")
    assert sum(number < 4 for number in sold.values()) > 100
    assert sum(number > 15 for number in sold.values()) > 5


def test_the_same_seed_gives_the_same_market(tmp_path: Path) -> None:
    found = []
    for name in ("one.db", "two.db"):
        with Ledger(tmp_path / name) as ledger, Ledger.open_readonly(tmp_path / name) as reader:
            run(market(ledger, "drift-wash"), 7)
            ledger.flush()
            found.append((list(reader.states()), reader.worths()))
    assert found[0] == found[1]


def test_the_ledger_tells_what_a_card_is_worth_on_each_console_at_any_moment(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        markets = [market(ledger, "drift", platform) for platform in ("ps5", "xbsx")]
        card = Deck(26).card(7)
        then = [reader.value(name, card.card_id, START) for name in ("ps5", "xbsx")]
        later = [reader.value(name, card.card_id, START + DAY) for name in ("ps5", "xbsx")]
        assert len({*then, *later}) == 4
        for subject in markets:
            run(subject, 5)
        ledger.flush()
        for platform in ("ps5", "xbsx"):
            worths = reader.worths(platform)
            assert {worth.motive for worth in worths.values()} >= {"honest", "snipe", "bait"}
            for listing, _ in reader.alive(platform):
                worth = worths[listing.auction_id]
                told = reader.value(platform, listing.card_id, listing.posted)
                assert worth.value == pytest.approx(told, rel=0.05), "posted within that second"
        with pytest.raises(ValueError, match="no platform"):
            reader.value("ps4", card.card_id, START)
        for odd in (0, 10_110_188, 11_700_000, 11_610_187):
            with pytest.raises(ValueError, match="no card"):
                reader.value("ps5", odd, START)


def test_prices_are_switched_while_a_market_runs(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        subject = market(ledger, "plain")
        moment = run(subject, 5)
        subject.behave(behaviour("drift-wash"))
        end = run(subject, 7, moment)
        subject.behave(behaviour("plain"))
        run(subject, 3, end)
        ledger.flush()
        card = Deck(26).card(7)
        assert reader.value("sim", card.card_id, moment - 1) == card.value
        assert reader.value("sim", card.card_id, moment + 1) != card.value
        assert reader.value("sim", card.card_id, end + 1) == card.value
        worths = reader.worths()
        for state in reader.states():
            if state.cause == "list" and state.at != moment:
                assert (state.auction_id in worths) == (moment < state.at <= end)
        for truth in reader.truths():
            assert truth.final_price != 0, "no buyout of what had none"


def test_a_market_of_other_prices_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger:
        end = run(market(ledger, "drift-wash"), 12)
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        before = {listing.auction_id: state for listing, state in reader.alive("sim")}
        subject = market(ledger, "plain", now=end)
        for auction in subject.search(0, 2_000):
            if auction.id in before:
                assert auction.worth is not None
                assert auction.state == before[auction.id]
        run(subject, 12, end)
        ledger.flush()
        assert {worth.prices for worth in reader.worths().values()} == {"drift-wash"}
        assert all(truth.final_price != 0 for truth in reader.truths())
