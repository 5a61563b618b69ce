"""The simulator's market: its auctions live as the ledger says, over restarts too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from m26.sim.behaviour import Behaviour
from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.market import Market
from m26.sim.records import State
from m26.sim.tempo import Tempo

NOW = 1_790_000_000.0
TEMPO = Tempo(size=60, speed=864.0)  # a day takes 100 s
DURATIONS = {4, 17, 33, 100, 300}
SEEN_ENDED = Behaviour(visible=5 * TEMPO.speed)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


def market(
    ledger: Ledger, seed: int, now: float = NOW, *, behaviour: Behaviour = SEEN_ENDED
) -> Market:
    return Market("sim", Deck(seed), ledger, TEMPO, now=now, behaviour=behaviour)


def run(subject: Market, seconds: int, start: float = NOW) -> float:
    for tick in range(seconds * 2):
        subject.advance(start + tick / 2)
    return start + seconds


def states(path: Path) -> dict[int, list[State]]:
    history: dict[int, list[State]] = {}
    with Ledger.open_readonly(path / "ledger.db") as reader:
        for state in reader.states():
            history.setdefault(state.auction_id, []).append(state)
    return history


def test_a_market_has_about_its_size_and_ends_auctions_in_every_way(
    ledger: Ledger, tmp_path: Path, seed: int
) -> None:
    subject = market(ledger, seed)
    assert len(subject) == TEMPO.size
    end = run(subject, 600)
    assert TEMPO.size / 3 < len(subject) < TEMPO.size * 3
    ledger.flush()
    causes = Counter(state.cause for history in states(tmp_path).values() for state in history)
    assert set(causes) == {"list", "bid", "buyout", "end", "expire", "cancel"}
    assert end == NOW + 600


def test_every_history_is_one_that_an_auction_can_have(
    ledger: Ledger, tmp_path: Path, seed: int
) -> None:
    run(market(ledger, seed), 300)
    ledger.flush()
    for history in states(tmp_path).values():
        first, *later = history
        assert (first.cause, first.status, first.bids) == ("list", "ACTIVE", 0)
        assert first.current_bid == first.next_bid
        assert first.buyout == 0 or first.buyout > first.current_bid
        for before, after in zip(history, later, strict=False):
            assert before.status == "ACTIVE"
            assert after.buyout == before.buyout
            assert after.at >= before.at
            if after.cause == "bid":
                assert after.bids == before.bids + 1
                assert before.next_bid <= after.current_bid < after.next_bid
            else:
                prices = (before.current_bid, before.next_bid, before.bids)
                if after.cause == "buyout":
                    prices = (before.buyout, before.next_bid, before.bids + 1)
                assert (after.current_bid, after.next_bid, after.bids) == prices
                assert (after.status == "EXPIRED") == (after.cause == "expire")
                assert after.cause != "end" or after.bids


def test_replies_show_newest_first_with_times_that_add_up(ledger: Ledger, seed: int) -> None:
    subject = market(ledger, seed)
    now = int(run(subject, 50))
    page = subject.search(0, 100)
    shown = [orjson.loads(subject.render(auction, now)) for auction in page]
    posted = [auction["postingTime"] for auction in shown]
    assert posted == sorted(posted, reverse=True)
    assert any(auction["buyoutPrice"] == 0 for auction in shown)
    for auction in shown:
        if auction["auctionStatus"] == "AUCTIONSTATUS_ACTIVE":
            assert now - auction["postingTime"] + auction["secondsRemaining"] in DURATIONS
        else:
            assert auction["secondsRemaining"] == 0


def test_pages_shift_while_they_are_read(ledger: Ledger, seed: int) -> None:
    subject = market(ledger, seed)
    first = [auction.id for auction in subject.search(0, 10)]
    run(subject, 30)
    assert first != [auction.id for auction in subject.search(0, 10)]


def test_an_ended_auction_lingers_then_is_found_by_its_id_only(ledger: Ledger, seed: int) -> None:
    subject = market(ledger, seed)
    seen: dict[int, float] = {}
    gone: set[int] = set()
    for tick in range(400):
        now = NOW + tick / 2
        subject.advance(now)
        ended = {a.id for a in subject.search(0, 1_000) if a.state.status != "ACTIVE"}
        for auction_id in ended:
            seen.setdefault(auction_id, now)
        gone |= {i for i, at in seen.items() if i not in ended and now - at > 6}
    assert gone
    assert all(at > NOW for at in seen.values())
    assert {auction.id for auction in subject.find(sorted(gone))} == gone
    assert list(subject.find([1, 2])) == []


def test_nothing_happens_in_a_frozen_market_and_goes_on_after_it(
    ledger: Ledger, tmp_path: Path, seed: int
) -> None:
    subject = market(ledger, seed)
    run(subject, 10)
    subject.frozen = True
    before = [(auction.id, auction.state) for auction in subject.search(0, 1_000)]
    run(subject, 60, NOW + 10)
    assert [(auction.id, auction.state) for auction in subject.search(0, 1_000)] == before
    subject.frozen = False
    run(subject, 10, NOW + 70)
    assert [(auction.id, auction.state) for auction in subject.search(0, 1_000)] != before
    ledger.flush()
    late = [s for history in states(tmp_path).values() for s in history]
    assert not [s for s in late if NOW + 10 < s.at < NOW + 69.5]


def test_a_killed_market_goes_on_with_what_it_had_and_repeats_no_id(
    tmp_path: Path, seed: int
) -> None:
    path = tmp_path / "ledger.db"
    killed = Ledger(path)  # never closed: what was not flushed is lost with it
    first = market(killed, seed)
    run(first, 20)
    killed.flush()
    kept = {a.id: a.state for a in first.search(0, 1_000) if a.listing.expires > NOW + 20}
    kept = {auction_id: state for auction_id, state in kept.items() if state.status == "ACTIVE"}
    run(first, 20, NOW + 20)
    lost = {auction.id for auction in first.search(0, 1_000)} - set(kept)
    assert lost
    with Ledger(path) as again:
        second = market(again, seed, NOW + 19.5)  # where the first one was
        states = {auction.id: auction.state for auction in second.search(0, 1_000)}
        assert kept.items() <= states.items()
        assert not lost & set(states)
        run(second, 20, NOW + 20)
        assert not lost & {auction.id for auction in second.search(0, 1_000)}
    del killed


def test_auctions_that_ran_out_while_nobody_looked_are_ended_at_once(
    tmp_path: Path, seed: int
) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        market(ledger, seed)
    with Ledger(tmp_path / "ledger.db") as ledger:
        later = market(ledger, seed, NOW + 5_000)
        assert len(later) == TEMPO.size
        found = [a for a in later.search(0, 1_000) if a.state.status == "ACTIVE"]
        assert all(a.listing.expires > NOW + 5_000 for a in found)
    histories = states(tmp_path)
    assert sum(h[-1].status == "ACTIVE" for h in histories.values()) == TEMPO.size
    with Ledger.open_readonly(tmp_path / "ledger.db") as reader:
        truths = list(reader.truths("sim"))
    assert len(truths) == len(histories) - TEMPO.size >= TEMPO.size
    for truth in truths:
        listing = truth.listing
        assert listing.posted <= truth.ended_at <= listing.expires, "when it would have ended"
