"""Every way in which the simulator's lists and refreshes can behave, as a client on the wire sees
it; the clock stands still until a test moves it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.support.simulator import Client, Simulator, simulator
from tests.support.worldclock import WorldClock

from m26.sim.behaviour import DEFAULT, MEMBERS, VARIANTS, Behaviour, variant
from m26.sim.records import Truth

_HOUR = 3_600
_REFRESH = "Mobile_RefreshAuctionDetails"
_LONG = ("--session-ttl", "1e9", "--token-ttl", "1e9")


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> WorldClock:
    return WorldClock(tmp_path_factory.mktemp("still") / "clock")


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory, still: WorldClock) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("variants") / "sim"
    accounts = ("--account", "demo", "--account", "alice:ps5", "--clock", str(still.path))
    market = ("--size", "240", "--speed", "1", "--variant", "batch-10", "--page", "20")
    with simulator(folder, *market, *accounts, *_LONG) as running:
        yield running


@pytest.fixture(scope="module")
def demo(sim: Simulator, still: WorldClock) -> Iterator[Client]:
    with Client(sim, clock=still.time) as client:
        client.sign_in()
        yield client


@pytest.fixture
def client(sim: Simulator, demo: Client) -> Client:
    sim.control(variant="default")
    return demo


def ids(auctions: list[dict[str, Any]]) -> list[int]:
    return [auction["auctionId"] for auction in auctions]


def page(client: Client, offset: int = 0, count: int = 100) -> tuple[list[dict[str, Any]], bool]:
    reply = client.process(params={"offset": offset, "count": count})
    value = reply.json()["responseInfo"]["value"]
    return value["details"], value["truncated"]


def refreshed(client: Client, wanted: list[int]) -> list[dict[str, Any]]:
    return client.details(_REFRESH, {"auctionIdList": wanted})


def failure(reply: httpx.Response) -> str:
    assert reply.status_code == 200
    return str(reply.json()["error"]["errorname"])


def ended_by(
    sim: Simulator, still: WorldClock, client: Client, *ways: str, until: int = 3
) -> list[Truth]:
    """Let auctions end until some have ended so from now on."""
    since = still.time()
    for _ in range(40):
        still.advance(_HOUR / 2)
        client.process()
        with sim.ledger() as ledger:
            ended = [truth for truth in ledger.truths("sim") if truth.ended_at > since]
        found = [truth for truth in ended if (truth.via or truth.outcome) in ways]
        if len(found) >= until:
            return found
    raise AssertionError("nothing ends")


def numbers(truths: list[Truth]) -> list[int]:
    return [truth.listing.auction_id for truth in truths]


def alive(sim: Simulator) -> dict[int, int]:
    """When each auction that is on offer expires."""
    with sim.ledger() as ledger:
        return {pair[0].auction_id: pair[0].expires for pair in ledger.alive("sim")}


def test_a_start_takes_a_variant_and_what_differs_from_it(sim: Simulator) -> None:
    with sim.ledger() as ledger:
        first, second, *_ = ledger.switches()
    assert {first.platform, second.platform} == {"sim", "ps5"}
    assert first.behaviour == second.behaviour == Behaviour(batch=10, page=20)
    assert first.after == 0


def test_the_newest_posting_comes_first_unless_it_is_told_otherwise(client: Client) -> None:
    posted = [auction["postingTime"] for auction in client.sweep()]
    assert posted == sorted(posted, reverse=True)
    assert len(posted) > 100


def test_the_first_to_expire_comes_first(sim: Simulator, client: Client) -> None:
    sim.control(order="ending")
    found = client.sweep()
    left = [auction["secondsRemaining"] for auction in found]
    assert left == sorted(left)
    assert set(ids(found)) == alive(sim).keys()


def test_without_an_order_pages_stay_as_they_are_but_for_what_comes_and_goes(
    sim: Simulator, still: WorldClock, client: Client
) -> None:
    sim.control(order="none")
    first = ids(client.sweep())
    assert ids(client.sweep()) == first
    assert first not in (sorted(first), sorted(first, reverse=True))
    expires = alive(sim)
    assert sorted(first, key=lambda number: expires[number]) != first
    still.advance(2 * _HOUR)
    second = ids(client.sweep())
    stayed = [number for number in second if number in set(first)]
    assert [number for number in first if number in set(second)] == stayed
    assert second != first


def test_each_request_can_draw_its_page_anew(sim: Simulator, client: Client) -> None:
    sim.control(order="random")
    one, two = (ids(page(client, offset)[0]) for offset in (0, 10_000))
    assert len(set(one)) == len(set(two)) == 100
    assert one != two
    assert set(one) | set(two) <= alive(sim).keys()


def test_an_offset_can_be_ignored_in_the_url_the_payload_or_both(
    sim: Simulator, client: Client
) -> None:
    first = ids(page(client)[0])
    payload = {"filters": [], "itemName": "", "offset": 100, "count": 100}
    for paging, by_url, by_payload in (
        ("both", True, True),
        ("url", True, False),
        ("payload", False, True),
        ("none", False, False),
    ):
        sim.control(paging=paging)
        assert (ids(page(client, 100)[0]) != first) is by_url
        assert (ids(client.details(payload=payload)) != first) is by_payload


def test_a_page_has_the_upstreams_own_size(sim: Simulator, client: Client) -> None:
    sim.control(page=30)
    assert len(page(client)[0]) == 30
    assert len(page(client, count=7)[0]) == 7


def test_a_list_is_cut_and_says_so_only_where_it_is_longer(sim: Simulator, client: Client) -> None:
    whole = ids(client.sweep())
    sim.control(truncate=130)
    assert [len(page(client, offset)[0]) for offset in (0, 100, 130)] == [100, 30, 0]
    assert ids(client.sweep()) == whole[:130]
    assert page(client)[1] is True
    sim.control(truncate=10_000)
    assert page(client)[1] is False


def test_a_refresh_reads_so_many_ids_and_ignores_the_rest(sim: Simulator, client: Client) -> None:
    some = ids(page(client)[0])
    assert ids(refreshed(client, some)) == some[:50]
    sim.control(batch=10)
    assert ids(refreshed(client, some)) == some[:10]
    assert ids(refreshed(client, [1, 2, *some])) == some[:8], "unknown ones take their place"


def test_a_refresh_says_all_of_ended_ids_or_leaves_them_out_or_fails(
    sim: Simulator, still: WorldClock, client: Client
) -> None:
    ended = numbers(ended_by(sim, still, client, "expired", "bid", "buyout"))[:3]
    fresh = next(iter(alive(sim)))
    statuses = {a["auctionStatus"] for a in refreshed(client, ended)}
    assert statuses <= {"AUCTIONSTATUS_EXPIRED", "AUCTIONSTATUS_ENDED"}
    assert ids(refreshed(client, [*ended, fresh])) == [*ended, fresh]
    sim.control(ended="omitted")
    assert ids(refreshed(client, [*ended, fresh])) == [fresh]
    sim.control(ended="error")
    payload = {"auctionIdList": [fresh, ended[0]]}
    assert failure(client.process(_REFRESH, payload)) == "ERR_SYSTEM"
    assert ids(refreshed(client, [fresh])) == [fresh]
    sim.control(batch=1)
    assert ids(refreshed(client, [fresh, *ended])) == [fresh], "what is not read fails nothing"


def test_a_search_shows_ended_auctions_for_as_long_as_it_is_told(
    sim: Simulator, still: WorldClock, client: Client
) -> None:
    assert {a["auctionStatus"] for a in client.sweep()} == {"AUCTIONSTATUS_ACTIVE"}
    sim.control(visible=_HOUR)
    still.advance(_HOUR)
    ended_by(sim, still, client, "expired", "bid", "buyout")
    now = still.time()
    gone = [a for a in client.sweep() if a["auctionStatus"] != "AUCTIONSTATUS_ACTIVE"]
    with sim.ledger() as ledger:
        at = {truth.listing.auction_id: truth.ended_at for truth in ledger.truths("sim")}
    assert {number for number, when in at.items() if now - _HOUR < when} == set(ids(gone)) != set()
    assert all(auction["secondsRemaining"] == 0 for auction in gone)
    still.advance(_HOUR)
    assert not set(ids(gone)) & set(ids(client.sweep()))
    assert ids(refreshed(client, ids(gone))) == ids(gone)


def test_a_refresh_forgets_ended_auctions_after_a_while_or_never(
    sim: Simulator, still: WorldClock, client: Client
) -> None:
    sim.control(recall=_HOUR, ended="error")
    ended = ended_by(sim, still, client, "expired", "bid", "buyout")
    last = max(ended, key=lambda truth: truth.ended_at)
    asked = numbers([last])
    still.set(last.ended_at + _HOUR - 1)
    payload = {"auctionIdList": asked}
    assert failure(client.process(_REFRESH, payload)) == "ERR_SYSTEM"
    sim.control(ended="full")
    assert ids(refreshed(client, asked)) == asked
    still.set(last.ended_at + _HOUR)
    sim.control(ended="error")
    assert refreshed(client, asked) == [], "forgotten, so that it fails nothing either"
    sim.control(recall=None, ended="full")
    still.advance(5 * 24 * _HOUR)
    assert ids(refreshed(client, asked)) == asked


@pytest.mark.parametrize("ended_price", ["final", "last_bid"])
def test_a_buyout_shows_as_a_bid_at_its_price_or_leaves_all_as_it_was(
    sim: Simulator, still: WorldClock, client: Client, ended_price: str
) -> None:
    sim.control(ended_price=ended_price)
    for truth in ended_by(sim, still, client, "buyout", until=1):
        (shown,) = refreshed(client, numbers([truth]))
        with sim.ledger() as ledger:
            before = [s for s in ledger.states() if s.auction_id == shown["auctionId"]][-2]
        expected = (before.current_bid, before.bids)
        if ended_price == "final":
            expected = (before.buyout, before.bids + 1)
        assert (shown["currentBid"], shown["numberOfBids"]) == expected
        assert shown["buyoutPrice"] == truth.final_price == before.buyout > before.current_bid


def test_a_share_of_the_commands_is_lost(sim: Simulator, client: Client) -> None:
    assert all("error" not in client.process().json() for _ in range(20))
    sim.control(loss=0.5, page=1)
    replies = [client.process() for _ in range(60)]
    lost = [reply for reply in replies if "error" in reply.json()]
    assert {failure(reply) for reply in lost} == {"ERR_SYSTEM"}
    assert 5 <= len(lost) <= 55  # beyond it once in 10^10 times
    sim.control(loss=1)
    assert failure(client.process(_REFRESH, {"auctionIdList": []})) == "ERR_SYSTEM"


def test_one_platform_can_behave_otherwise_and_the_ledger_says_when_which_held(
    sim: Simulator, still: WorldClock, client: Client
) -> None:
    before = sim.stats()
    still.advance(60)
    sim.control(platform="ps5", variant="ending-omitted", batch=7)
    markets = sim.stats()["markets"]
    assert markets["sim"]["behaviour"]["order"] == "newest"
    assert markets["ps5"]["behaviour"]["order"] == "ending"
    client.process()
    sim.control(order="random")
    with sim.ledger() as ledger:
        *_, alone, one, two = ledger.switches()
        *_, last = ledger.switches("ps5")
    assert (alone.platform, alone.at, alone.after) == ("ps5", still.time(), before["requests"])
    assert alone.behaviour == Behaviour(order="ending", ended="omitted", batch=7)
    assert {switch.platform for switch in (one, two)} == {"ps5", "sim"}
    assert one.after == two.after == alone.after + 1
    assert last.behaviour == Behaviour(order="random", ended="omitted", batch=7)


def test_prices_are_switched_on_one_console_and_the_ledger_says_what_cards_are_worth(
    sim: Simulator, still: WorldClock, client: Client
) -> None:
    sim.control(platform="ps5", prices="drift-wash")
    still.advance(6 * _HOUR)
    client.process()
    now = still.time()
    with sim.ledger() as ledger:
        *_, switch = ledger.switches("ps5")
        assert (switch.behaviour.prices, switch.speed) == ("drift-wash", 1)
        posted = {listing.auction_id: listing for listing, _ in ledger.alive("ps5")}
        worths = ledger.worths("ps5")
        assert worths
        assert ledger.worths("sim") == {}
        cards = {posted[number].card_id for number in worths.keys() & posted.keys()}
        for card in cards:
            moved = ledger.value("ps5", card, now) != ledger.value("ps5", card, now + _HOUR)
            floor = ledger.value("ps5", card, now) == 150
            assert moved or floor
            assert ledger.value("sim", card, now) == ledger.value("sim", card, now + _HOUR)


@pytest.mark.parametrize(
    ("switch", "text"),
    [
        ({"prices": "odd"}, "prices is one of plain, static, drift, drift-wash, not 'odd'"),
        ({"order": "oldest"}, "order is one of newest, ending, random, none, not 'oldest'"),
        ({"batch": 0}, "batch is a whole number from 1 to 1000, not 0"),
        ({"batch": 2.5}, "batch is a whole number"),
        ({"truncate": True}, "truncate is a whole number"),
        ({"loss": 1.5}, "loss is a number from 0 to 1"),
        ({"visible": None}, "visible is a number"),
        ({"variant": "odd"}, "unknown variant 'odd'; there are demo, default"),
        ({"platform": "ps9", "loss": 0.5}, "no platform 'ps9'; there are ps5, sim"),
        ({"loss": 0.5, "odd": 1}, "unknown member 'odd'"),
    ],
)
def test_a_switch_that_is_none_is_told_and_nothing_of_it_is_done(
    sim: Simulator, client: Client, switch: dict[str, Any], text: str
) -> None:
    reply = httpx.post(f"{sim.url}/sim/control", json=switch, verify=False)
    assert (reply.status_code, text in reply.json()["error"]) == (400, True)
    assert sim.stats()["markets"]["sim"]["behaviour"] == {
        name: getattr(DEFAULT, name) for name in MEMBERS
    }


def test_every_variant_is_possible_and_differs_from_the_others(
    sim: Simulator, client: Client
) -> None:
    for name in VARIANTS:
        answer = sim.control(variant=name)
        behaviour = answer["markets"]["sim"]["behaviour"]
        assert Behaviour(**behaviour) == variant(name)
    kinds = {repr(variant(name)) for name in VARIANTS}
    assert len(kinds) == len(VARIANTS) - 1, "the demo's is ended-visible"
