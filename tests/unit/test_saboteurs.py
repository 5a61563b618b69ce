"""The oracles themselves: silent about a true run, loud about each of eight ways to break one."""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from tests.oracle import leaks, reading
from tests.oracle.durability import Watched
from tests.oracle.order import judge_order
from tests.oracle.reading import History, Row
from tests.oracle.rules import OUTCOME, Event, Seen
from tests.oracle.verdict import judge_history, judge_stream
from tests.support import servers
from tests.support.journals import make_page
from tests.support.wire import page

from m26.embedded.postgres import Postgres
from m26.embedded.valkey import Valkey
from m26.journal import Journal
from m26.models import Record
from m26.normalizer import Normalizer
from m26.publish.client import connect
from m26.publish.relay import Relay
from m26.sim import replies
from m26.sim.behaviour import variant
from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.market import Market
from m26.sim.records import Request
from m26.sim.tempo import Tempo
from m26.status.telemetry import Telemetry
from m26.store.database import opened
from m26.store.load import Loader
from m26.upstream.profile import Profile
from m26.wake import Wake

_START = 1_790_000_000.0
_SEARCH = "Mobile_SearchAuctions"


@dataclass(frozen=True, slots=True)
class Truth:
    """What was served, and what m26's own store and relay made of it."""

    seen: list[Seen]
    history: History


@pytest.fixture(scope="module")
def truth(
    portal: BlockingPortal,
    postgres: Postgres,
    valkey: Valkey,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Truth]:
    """A market of some minutes; the last reply is served and not owed, and not stored."""
    ledger = tmp_path_factory.mktemp("truth") / "ledger.db"
    records = list(_served(ledger))
    servers.flush(valkey)
    with servers.fresh_database(portal, postgres) as dsn:
        yield Truth(
            reading.observations(ledger),
            asyncio.run(_stored(dsn, valkey.url, records[:-1])),
        )


def _served(path: Path) -> Iterator[Record]:
    deck = Deck(7, size=30)
    with Ledger(path) as ledger:
        ledger.fact("seed", deck.seed)
        market = Market(
            "sim", deck, ledger, Tempo(size=40, speed=864), now=_START, behaviour=variant("demo")
        )
        for number in range(60):
            now = _START + 3 * number
            market.advance(now)
            found = market.search(0, 100)
            reply = replies.auctions(
                _SEARCH,
                [market.render(auction, int(now)) for auction in found],
                shown=array("q", [auction.state.state_id for auction in found]),
                now=int(now),
                cached=0,
            )
            ledger.record(
                Request(
                    at=now,
                    connection=1,
                    account="demo",
                    platform="sim",
                    kind="process",
                    status=200,
                    answer="ok",
                    response_time=reply.response_time,
                ),
                reply.shown,
            )
            yield Record(number, page(reply.body, platform="sim"))


async def _stored(dsn: str, redis_url: str, records: list[Record]) -> History:
    async with opened(dsn) as store, aclosing(connect(redis_url)) as redis:
        await store.migrate()
        loader = Loader(store, Normalizer(Profile.load("sim").card))
        for start in range(0, len(records), 7):
            await loader.store("journal", records[start : start + 7])
        relay = Relay(redis, store, maxlen=10**6, wake=Wake(), telemetry=Telemetry())
        await relay.catch_up()
        return await reading.history(dsn, redis_url)


def _numbered(events: list[Event], history: History) -> History:
    """Events under dense numbers, current states that agree: only the events themselves tell."""
    last: dict[tuple[str, int], Event] = {event.key: event for event in events}
    rows = {key: _agreeing(row, last[key]) for key, row in history.auctions.items() if key in last}
    return history.changed(events=list(enumerate(events, 1)), head=len(events), auctions=rows)


def _agreeing(row: Row, event: Event) -> Row:
    outcome = {name: getattr(row.state, name) for name in OUTCOME}
    return replace(row, state=event._replace(kind="", **outcome))


def drop_a_row(events: list[Event], rng: random.Random) -> None:
    del events[rng.randrange(len(events))]


def double_a_row(events: list[Event], rng: random.Random) -> None:
    place = rng.randrange(len(events))
    events.insert(place, events[place])


def raise_a_price(events: list[Event], rng: random.Random) -> None:
    place = rng.randrange(len(events))
    column = rng.choice(("current_bid", "next_bid", "median_price"))
    event = events[place]
    events[place] = event._replace(**{column: getattr(event, column) + 1})


def invent_a_row(events: list[Event], rng: random.Random) -> None:
    place = rng.randrange(len(events))
    events.insert(place, events[place]._replace(auction_id=99_999_999, kind="listed"))


def swap_two_rows(events: list[Event], rng: random.Random) -> None:
    place = rng.randrange(len(events) - 1)
    events[place : place + 2] = reversed(events[place : place + 2])


@pytest.mark.parametrize(
    "sabotage", [drop_a_row, double_a_row, raise_a_price, invent_a_row, swap_two_rows]
)
def test_a_history_with_one_wrong_row_is_caught(
    truth: Truth, seed: int, sabotage: Callable[[list[Event], random.Random], None]
) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        events = [event for _, event in truth.history.events]
        sabotage(events, rng)
        assert not judge_history(truth.seen, _numbered(events, truth.history))


def exchange_two_times(events: list[Event], rng: random.Random) -> None:
    """Of one auction: what came first is dated last."""
    one, two = rng.choice(_pairs(events))
    first, second = events[one], events[two]
    events[one] = first._replace(observed_at=second.observed_at)
    events[two] = second._replace(observed_at=first.observed_at)


def date_a_row_late(events: list[Event], rng: random.Random) -> None:
    place = rng.randrange(len(events))
    events[place] = events[place]._replace(observed_at=events[place].observed_at + 1)


def _pairs(events: list[Event]) -> list[tuple[int, int]]:
    """Places of two events of one auction, in their order and of different times."""
    return [
        (one, two)
        for two, later in enumerate(events)
        for one, event in enumerate(events[:two])
        if event.key == later.key and event.observed_at < later.observed_at
    ]


@pytest.mark.parametrize(
    "sabotage", [drop_a_row, double_a_row, invent_a_row, exchange_two_times, date_a_row_late]
)
@pytest.mark.parametrize("rivals", [False, True])
def test_a_history_of_many_homes_with_one_wrong_row_is_caught(
    truth: Truth,
    seed: int,
    sabotage: Callable[[list[Event], random.Random], None],
    *,
    rivals: bool,
) -> None:
    rng = random.Random(seed)
    assert judge_order(truth.seen, truth.history, rivals=rivals)
    for _ in range(20):
        events = [event for _, event in truth.history.events]
        sabotage(events, rng)
        assert not judge_order(truth.seen, _numbered(events, truth.history), rivals=rivals)


def test_replies_that_are_gone_need_not_be_there_and_only_those(truth: Truth) -> None:
    requests = {seen.request for seen in truth.seen if seen.owed}
    half = {request for request in requests if request > sorted(requests)[len(requests) // 2]}
    shown = {seen.identity for seen in truth.seen if seen.owed and seen.request not in half}
    kept = [e for _, e in truth.history.events if e.identity in shown]
    history = _numbered(kept, truth.history)
    assert not judge_order(truth.seen, history, dated=False)
    assert judge_order(truth.seen, history, dated=False, gone=half)


def test_states_that_two_homes_saw_in_one_second_may_be_stored_in_either_order(
    truth: Truth,
) -> None:
    events = [event for _, event in truth.history.events]
    one, two = _pairs(events)[0]
    second = events[two].observed_at // 10**6
    seen = [
        replace(each, at=events[two].observed_at)
        if each.at // 10**6 <= second and each.key == events[one].key
        else each
        for each in truth.seen
    ]
    events[one], events[two] = (
        events[two],
        events[one]._replace(observed_at=events[two].observed_at),
    )
    history = _numbered(events, truth.history)
    assert not judge_order(seen, history, dated=False)
    assert judge_order(seen, history, dated=False, rivals=True)


def test_a_journal_that_skips_fsync_is_caught(tmp_path: Path) -> None:
    class SkipsSync(Watched):
        def sync(self, fd: int) -> None:
            """Pretend."""

    assert _unsafe(Watched(), tmp_path / "true") == [0] * 20
    assert all(_unsafe(SkipsSync(), tmp_path / "sabotaged"))


def _unsafe(files: Watched, folder: Path) -> list[int]:
    """Bytes that a power cut would take, each time that the journal says a page is safe."""
    journal = Journal.open(
        folder, keep_bytes=1 << 30, reserve_bytes=0, segment_bytes=1500, files=files
    )
    left = []
    for number in range(20):
        journal.append(make_page(number))
        left.append(files.unsafe)
    journal.close()
    return left


def test_an_event_that_is_published_before_its_commit_is_caught(truth: Truth) -> None:
    """The commit then fails: the stream has what no history has, or what it has otherwise."""
    history = truth.history
    entry_id, data = history.stream[-1]
    ahead = (f"{history.head + 1}-0", data.replace(b'"seq":', b'"seq":1'))
    assert not judge_stream(history.changed(stream=[*history.stream, ahead]))
    other = (entry_id, data.replace(b'"current_bid":', b'"current_bid":1'))
    assert not judge_stream(history.changed(stream=[*history.stream[:-1], other]))
    assert not judge_stream(history.changed(stream=history.stream[:-1]))
    assert not judge_stream(history.changed(stream=[*history.stream[:5], *history.stream[6:]]))


@pytest.mark.parametrize(
    "form", ["SIM-CANARY-SESSION-12/+=$*34", "ab/12+34==", "ab%2F12%2B34%3D%3D"]
)
def test_a_logged_token_is_caught(form: str) -> None:
    handed_out = ["SIM-CANARY-SESSION-12/+=$*34", "ab/12+34==", "ab%2F12%2B34%3D%3D"]
    clean = [("log", b'{"event":"auth.session_opened"}'), ("row", b"57000000\tactive")]
    assert leaks.judge_leaks(handed_out, clean)
    verdict = leaks.judge_leaks(handed_out, [*clean, ("log", f"at /{form}?x".encode())])
    assert verdict.extra == ["log holds 1 of them"]
    assert form not in str(verdict)


def test_the_oracles_are_content_with_what_is_true(truth: Truth) -> None:
    verdicts = [judge_history(truth.seen, truth.history), judge_stream(truth.history)]
    assert all(verdicts), "\n".join(map(str, verdicts))
    events = [event for _, event in truth.history.events]
    assert {event.kind for event in events} == {"listed", "bid", "closed"}
    assert judge_history(truth.seen, _numbered(events, truth.history))


def test_a_reply_that_is_not_owed_may_be_there_as_a_whole_or_not_at_all(truth: Truth) -> None:
    newest = max(seen.request for seen in truth.seen)
    assert {seen.request for seen in truth.seen if not seen.owed} == {newest}
    owed = [seen if seen.request < newest else replace(seen, owed=True) for seen in truth.seen]
    assert not judge_history(owed, truth.history)  # had it been owed, it would be missed


def test_a_lost_sighting_and_a_wrong_current_state_are_caught(truth: Truth) -> None:
    rows = dict(truth.history.auctions)
    key = max(rows)
    stale = replace(rows[key], last_seen=rows[key].last_seen - 1)
    assert not judge_history(truth.seen, truth.history.changed(auctions=rows | {key: stale}))
    wrong = replace(rows[key], state=rows[key].state._replace(status="gone"))
    assert not judge_history(truth.seen, truth.history.changed(auctions=rows | {key: wrong}))
    del rows[key]
    assert not judge_history(truth.seen, truth.history.changed(auctions=rows))
