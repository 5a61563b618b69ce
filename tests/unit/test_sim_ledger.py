"""The truth ledger: what is owed, what was served, and that it outlives its writer."""

from __future__ import annotations

from array import array
from pathlib import Path

from m26.sim.behaviour import DEFAULT, Behaviour, variant
from m26.sim.ledger import Ledger
from m26.sim.records import NOT_SERVED, Listing, Request, State, Switch


def listed(ledger: Ledger, price: int = 100) -> State:
    auction_id = ledger.reserve("auction")
    ledger.listed(Listing(auction_id, "sim", 0, 10_110_000, 7, 1, 1_790_000_000, 1_790_000_100))
    state_id = ledger.reserve("state")
    state = State(state_id, auction_id, 1.0, "list", "ACTIVE", 0, price, price, 0)
    ledger.changed(state)
    return state


def asked(connection: int, **fields: object) -> Request:
    fields = {"at": 1.0, "kind": "process", "account": "demo", "status": 200} | fields
    time_ = 1_790_000_040_000_000
    return Request(connection=connection, answer="ok", response_time=time_, **fields)  # type: ignore[arg-type]


def shown(*states: State) -> array[int]:
    return array("q", [state.state_id for state in states])


def test_a_reply_is_owed_once_its_connection_asks_again_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        one, two = listed(ledger), listed(ledger)
        ledger.record(asked(1), shown(one, two))
        assert [row.state for row in reader.served()] == [one, two]
        assert list(reader.owed()) == []
        ledger.record(asked(2), shown(two))
        assert list(reader.owed()) == []
        ledger.record(asked(1, kind="login"))
        assert [(row.request, row.position, row.state) for row in reader.owed()] == [
            (1, 0, one),
            (1, 1, two),
        ]
        assert [row.request for row in reader.served()] == [1, 1, 2]


def test_a_served_row_has_what_was_on_the_wire(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        state = listed(ledger, 250)
        ended = state.moved(state_id=ledger.reserve("state"), status="EXPIRED", cause="expire")
        ledger.changed(ended)
        ledger.record(asked(1, platform="sim"), shown(state, ended))
        first, second = reader.served()
        assert (first.account, first.platform, first.listing.card_id) == ("demo", "sim", 10_110_000)
        assert (first.state.current_bid, first.seconds_remaining) == (250, 60)
        assert (second.state.status, second.seconds_remaining) == ("EXPIRED", 0)


def test_a_damaged_reply_serves_nothing_but_its_request_is_there(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        listed(ledger)
        ledger.record(asked(1, fault="reset"))
        ledger.record(asked(1))
        assert list(reader.served()) == []
        assert [(number, request.fault) for number, request in reader.requests()] == [
            (1, "reset"),
            (2, ""),
        ]


def test_what_was_recorded_is_there_after_a_kill_and_numbers_go_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    killed = Ledger(path)
    state = listed(killed)
    killed.record(asked(1), shown(state))
    lost = listed(killed)  # never flushed
    with Ledger(path) as again:
        assert again.record(asked(2)) == 2
        assert again.reserve("auction") > lost.auction_id
        assert again.reserve("state") > lost.state_id
        assert [pair[1] for pair in again.alive("sim")] == [state]
    del killed


def test_what_is_noted_together_is_there_at_once_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        with ledger.together():
            ledger.record(asked(1), shown(listed(ledger)))
            ledger.save("secret", ("CANARY", "session", "demo", 1.0, None, None))
            assert (list(reader.requests()), reader.secrets()) == ([], [])
        assert (len(list(reader.requests())), reader.secrets()) == (1, ["CANARY"])


def test_what_was_not_shown_as_it_is_has_a_place_in_the_reply_but_is_not_served(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        one, two = listed(ledger), listed(ledger)
        ids = array("q", [one.state_id, NOT_SERVED, two.state_id])
        ledger.record(asked(1), ids)
        assert [(row.position, row.state) for row in reader.served()] == [(0, one), (2, two)]


def test_the_truth_of_each_auction_that_ended_is_told_with_its_time(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        for number, cause in enumerate(("list", "bid", "buyout", "end", "expire", "cancel")):
            status = "ACTIVE" if cause in {"list", "bid"} else "ENDED"
            first = listed(ledger, 500)
            ledger.changed(
                first.moved(
                    state_id=ledger.reserve("state"),
                    at=7.5 + number,
                    cause=cause,
                    status=status,
                    current_bid=600,
                    buyout=900,
                )
            )
        ledger.flush()
        truths = [(t.outcome, t.via, t.final_price, t.ended_at) for t in reader.truths("sim")]
        assert truths == [
            ("sold", "buyout", 900, 9.5),
            ("sold", "bid", 600, 10.5),
            ("expired", None, None, 11.5),
            ("cancelled", None, None, 12.5),
        ]
        assert list(reader.truths("ps5")) == []


def test_an_auction_is_found_by_its_id_on_its_own_platform_alone(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        state = listed(ledger)
        found = ledger.auction("sim", state.auction_id)
        assert found is not None
        assert (found[0].auction_id, found[1]) == (state.auction_id, state)
        assert ledger.auction("ps5", state.auction_id) is None
        assert ledger.auction("sim", 1) is None


def test_a_switch_is_durable_at_once_with_the_request_before_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger, Ledger.open_readonly(path) as reader:
        ledger.behaved(1.0, "sim", DEFAULT)
        ledger.record(asked(1))
        ledger.behaved(2.5, "ps5", variant("recall-1h"))
        assert list(reader.switches()) == [
            Switch(1.0, 0, "sim", DEFAULT),
            Switch(2.5, 1, "ps5", Behaviour(recall=3_600)),
        ]
        assert [switch.at for switch in reader.switches("ps5")] == [2.5]


def test_a_fact_stays_as_it_was_first_given(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.fact("seed", 5) == 5
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.fact("seed", 6) == 5


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.record(asked(1))
        assert {file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == {0}
