"""What becomes of the simulator's auctions: how many end how, when and for how much.

The seeds are fixed, so that a share is the same in every run.
"""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass

import pytest

from m26.sim import fate
from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.lots import lots
from m26.sim.market import Market
from m26.sim.records import Listing, State, Truth
from m26.sim.tempo import HOURS, MIXES, Tempo

START = 1_790_000_000
HOUR, DAY = 3_600, 86_400
REAL = Tempo(speed=1)
FAIR = 2_000


@dataclass(frozen=True, slots=True)
class Life:
    """One offer, posted at a time that is as busy as it is likely."""

    offer: fate.Offer
    opened: float
    expires: float

    @property
    def how(self) -> str:
        """How it ended."""
        end = self.offer.steps[-1][1]
        return ("bid" if self.bids else "expire") if end == "end" else end

    @property
    def bids(self) -> list[float]:
        """When each came."""
        return [at for at, cause in self.offer.steps if cause == "bid"]


def lives(tempo: Tempo = REAL, count: int = 4_000) -> list[Life]:
    rng, card, found = lots("lives"), Deck(26).card(5), []
    for number in range(count):
        hour = rng.choices(range(24), HOURS)[0]
        opened = START - START % DAY + tempo.clock(hour * HOUR + rng.uniform(0, HOUR))
        expires = opened + fate.duration(rng, tempo)
        prices = card.prices(number)
        offer = fate.fate(rng, prices, tempo, opened=opened, expires=expires)
        found.append(Life(offer, opened, expires))
    return found


@pytest.fixture(scope="module")
def real() -> list[Life]:
    return lives()


def shares(found: list[Life]) -> dict[str, float]:
    return {how: n / len(found) for how, n in Counter(life.how for life in found).items()}


def test_auctions_end_in_the_shares_that_are_told(real: list[Life]) -> None:
    found = shares(real)
    told = {"buyout": 0.33, "bid": 0.25, "expire": 0.39, "cancel": 0.03}
    assert found.keys() == told.keys()
    for how, share in told.items():
        assert found[how] == pytest.approx(share, abs=0.02), how
    assert found["cancel"] == pytest.approx(0.03, abs=0.008)


def test_a_buyout_comes_the_sooner_the_cheaper_it_is(real: list[Life]) -> None:
    fair = Deck(26).card(5).value
    times: dict[int, list[float]] = {}
    offered: Counter[int] = Counter()
    for life in real:
        ratio = life.offer.buyout / fair
        offered[round(ratio * 5)] += 1
        if life.how == "buyout":
            times.setdefault(round(ratio * 5), []).append(life.offer.ends - life.opened)
    medians = [statistics.median(times[band]) for band in sorted(times) if len(times[band]) > 9]
    assert medians == sorted(medians)
    assert medians[0] < 60
    assert medians[-1] > 4 * HOUR
    assert max(times) <= 10 < max(offered), "never at twice the price and more"
    usual = statistics.quantiles(times[5], n=10)
    assert usual[-1] > 20 * usual[0]


def test_bids_come_late_and_the_end_is_hard(real: list[Life]) -> None:
    left = [life.expires - life.bids[-1] for life in real if life.how == "bid"]
    assert min(left) >= 0
    assert sum(seconds < 180 for seconds in left) / len(left) == pytest.approx(0.5, abs=0.04)
    assert sum(seconds < 10 for seconds in left) / len(left) == pytest.approx(0.2, abs=0.03)


def test_a_withdrawal_comes_before_any_bid(real: list[Life]) -> None:
    withdrawn = [life for life in real if life.how == "cancel"]
    assert not [life for life in withdrawn if life.bids]
    assert all(life.opened <= life.offer.ends < life.expires for life in withdrawn)


def test_every_knob_does_what_it_says(real: list[Life]) -> None:
    def late(found: list[Life]) -> float:
        bids = [life.expires - at < 180 for life in found if life.how == "bid" for at in life.bids]
        return sum(bids) / len(bids)

    usual = shares(real)
    assert shares(lives(Tempo(speed=1, buyouts=4)))["buyout"] > usual["buyout"] + 0.05
    assert shares(lives(Tempo(speed=1, withdrawals=2)))["cancel"] > 1.5 * usual["cancel"]
    assert shares(lives(Tempo(speed=1, activity=0.5)))["bid"] < 0.7 * usual["bid"]
    assert late(lives(Tempo(speed=1, late=0.5))) < 0.6 * late(real)


def test_a_faster_market_is_the_same_in_less_time() -> None:
    fast = lives(Tempo(speed=100))
    found = shares(fast)
    assert found["buyout"] == pytest.approx(0.33, abs=0.02)
    left = [life.expires - life.bids[-1] for life in fast if life.how == "bid"]
    assert sum(seconds < 1.8 for seconds in left) / len(left) == pytest.approx(0.5, abs=0.05)


def test_bids_stay_below_what_a_card_is_worth_unless_the_start_was_above() -> None:
    rng = lots("bids")
    for least in (200, 1_500, FAIR - 50, 3 * FAIR):
        for _ in range(100):
            assert least <= fate.bid(rng, FAIR, least) <= max(FAIR, least)


@dataclass(frozen=True, slots=True)
class World:
    """What the ledger of a market says of some days."""

    truths: list[Truth]
    listings: list[Listing]
    """All that were posted since the start."""
    firsts: list[State]
    alive: list[int]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    path = tmp_path_factory.mktemp("market") / "ledger.db"
    tempo, days = Tempo(size=600, speed=144), 4
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        market = Market("sim", Deck(26), ledger, tempo, now=START)
        alive = []
        for tick in range(days * 24):
            market.advance(START + tempo.clock((tick + 1) * HOUR))
            alive.append(len(market))
        ledger.flush()
        truths = list(reader.truths())
        listings = [truth.listing for truth in truths]
        listings += [listing for listing, _ in reader.alive("sim")]
        firsts = [state for state in reader.states() if state.cause == "list"]
    since = [listing for listing in listings if listing.posted > START]
    return World(truths, since, firsts, alive)


def test_a_market_keeps_its_size_in_the_mean(world: World) -> None:
    assert statistics.mean(world.alive) == pytest.approx(600, rel=0.1)
    assert max(world.alive) < 900


@pytest.mark.parametrize("mix", MIXES)
def test_the_life_that_a_mix_is_said_to_have_is_what_comes_of_it(mix: str) -> None:
    found = lives(Tempo(speed=1, mix=mix))
    mean = statistics.mean(life.offer.ends - life.opened for life in found)
    assert mean / HOUR == pytest.approx(MIXES[mix].life, rel=0.05)


def test_auctions_are_posted_for_an_hour_to_three_days(world: World) -> None:
    found = Counter(listing.expires - listing.posted for listing in world.listings)
    told = {25: 0.15, 100: 0.10, 200: 0.15, 600: 0.55, 1_800: 0.05}
    assert found.keys() == told.keys()
    for seconds, share in told.items():
        assert found[seconds] / found.total() == pytest.approx(share, abs=0.03)


def test_postings_follow_the_hour(world: World) -> None:
    hours = Counter(int(state.at * 144 / HOUR) % 24 for state in world.firsts if state.at > START)
    mean = hours.total() / 24
    rush, quiet = (sum(hours[hour] for hour in span) / 3 for span in ((19, 20, 21), (7, 8, 9)))
    assert rush / mean == pytest.approx(2.25, abs=0.3)
    assert quiet / rush == pytest.approx(1 / 8, abs=0.06)


def test_a_copy_is_listed_again_by_its_buyer_or_its_seller(world: World) -> None:
    posted: dict[int, list[Listing]] = {}
    for listing in world.listings:
        posted.setdefault(listing.instance_id, []).append(listing)
    again: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    soon = 0
    for truth in world.truths:
        if truth.ended_at > START + 3 * 600:
            continue  # its copy may still come
        ended[truth.outcome] += 1
        number = truth.listing.auction_id
        copies = posted.get(truth.listing.instance_id, ())
        later = [listing for listing in copies if listing.auction_id > number]
        if later:
            first = min(later, key=lambda listing: listing.auction_id)
            again[truth.outcome] += 1
            soon += first.posted - truth.ended_at < HOUR / 144
            if truth.outcome == "sold":
                assert first.acquired == int(truth.ended_at) * 1_000_000
            else:
                assert first.acquired == truth.listing.acquired
    assert again["sold"] / ended["sold"] == pytest.approx(0.12, abs=0.03)
    assert again["expired"] / ended["expired"] == pytest.approx(0.55, abs=0.05)
    assert again["cancelled"] == 0
    assert soon > again.total() / 2


def test_asks_keep_to_the_band_and_some_are_absurd(world: World) -> None:
    deck = Deck(26)
    by_id = {listing.auction_id: listing for listing in world.listings}
    ratios = []
    for state in world.firsts:
        listing = by_id.get(state.auction_id)
        if listing is None:
            continue
        prices = deck.card(listing.card).prices(listing.instance_id)
        assert abs(prices.median / prices.fair - 1) < 0.065
        assert prices.least <= state.current_bid <= prices.most
        if state.buyout:
            assert state.current_bid < state.buyout <= prices.most + 500
            ratios.append(state.buyout / prices.fair)
    bait = [ratio for ratio in ratios if not 0.36 < ratio < 2.9]
    assert 0.02 < len(bait) / len(ratios) < 0.12
    assert {ratio < 1 for ratio in bait} == {True, False}
