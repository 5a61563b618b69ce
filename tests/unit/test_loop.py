"""The accounts of one platform and their plan, with scripted sessions in place of the network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from tests.support.scripted import Bench, Make, Scripted, ScriptEndedError, benches, blaze, reply
from tests.support.wire import T0, auction, body, card

from m26.app.collectors import follow_focus
from m26.collect.focus import Focus
from m26.collect.loop import Market, request
from m26.collect.plan import Plan, look
from m26.collect.questions import Ask
from m26.models import SWEEP_END
from m26.normalizer import Normalizer
from m26.upstream.profile import Paging, Profile
from m26.upstream.replies import Reply
from m26.upstream.verdicts import BrokenTransferError

pytestmark = pytest.mark.anyio
PAGING = Paging(mode="url", count=100)
BUDGET = {"per_day": 86_400, "per_minute": 60}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "plan"


@pytest.fixture
def plan(folder: Path) -> Iterator[Plan]:
    with Plan(folder, **BUDGET, now=T0 * 1_000_000) as made:
        yield made


def market(
    made: Bench,
    plan: Plan,
    paging: Paging = PAGING,
    focus: Mapping[str, Mapping[str, float]] | None = None,
) -> Market:
    return Market(
        platform="ps5",
        plan=plan,
        **BUDGET,
        paging=paging,
        focus=Focus(focus or {}),
        normalizer=Normalizer(Profile.load("sim").card),
        telemetry=made.exchange.telemetry,
    )


async def played(made: Bench, plan: Plan, paging: Paging = PAGING) -> Market:
    """Ask until the script ends."""
    shared = market(made, plan, paging)
    with pytest.raises(ScriptEndedError):
        await shared.collect(made.exchange)
    return shared


def asked(made: Bench) -> list[dict[str, object]]:
    """What the journal says was asked."""
    return [orjson.loads(page.query) for page in made.journal if page.is_reply]


def log(folder: Path) -> list[Any]:
    """What the plan wrote down since its snapshot."""
    path = next(folder.glob("log-*"))
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def pages(count: int) -> list[Reply]:
    """A market of three, at an even pace."""
    return [reply(body(*map(auction, (3, 2, 1)), at=T0 + n)) for n in range(count)]


def test_what_a_plan_asks_is_spelled_as_the_profile_says() -> None:
    search, refresh = Ask((200, 100), []), Ask(None, [7, 9])
    everything = {"filters": [], "itemName": ""}

    by_url = request(search, Paging(mode="url", count=50))
    assert (orjson.loads(by_url.payload), by_url.params) == (
        everything,
        {"offset": "200", "count": "50"},
    )
    assert orjson.loads(by_url.query) == {**everything, "offset": 200, "count": 50}
    inside = request(search, Paging(mode="payload", count=50))
    assert (inside.payload, inside.params) == (inside.query, None)
    assert orjson.loads(inside.query) == orjson.loads(by_url.query)
    assert orjson.loads(request(search, Paging(mode="none")).query) == everything
    asks = request(refresh, PAGING)
    assert (asks.command, orjson.loads(asks.payload)) == ("refresh", {"auctionIdList": [7, 9]})
    assert asks.query == asks.payload


async def test_replies_reach_the_plan_and_the_list_is_passed_over(bench: Make, plan: Plan) -> None:
    made = bench(*pages(12))
    shared = await played(made, plan)

    assert plan.planner.outlook()[2] == 3
    assert asked(made)[0] == {"filters": [], "itemName": "", "offset": 0, "count": 100}
    counted = shared.telemetry.metrics.by_label("m26_plan_requests_total", "reason")
    assert sum(counted.values()) == 12
    assert counted["front_page"] >= 1


async def test_auctions_are_asked_after_when_their_time_is_over(bench: Make, plan: Plan) -> None:
    short = reply(body(auction(1, secondsRemaining=2)))
    made = bench(short, *(reply(body(at=T0 + n)) for n in range(1, 9)))
    await played(made, plan)

    assert {"auctionIdList": [1]} in asked(made)
    assert [page.command for page in made.journal].count("Mobile_RefreshAuctionDetails") >= 1


async def test_a_request_that_the_upstream_fails_is_told_and_the_plan_asked_anew(
    bench: Make, plan: Plan, folder: Path
) -> None:
    made = bench(*pages(2), blaze("ERR_SYSTEM"), *pages(1))
    await played(made, plan)

    told = [given for what, given in log(folder) if what == "reply"]
    assert [failed for _, failed, _, _ in told] == [False, False, True, False]
    assert [len(rows) for *_, rows in told] == [3, 3, 0, 3]
    asks = [given[0] for what, given in log(folder) if what == "sent"]
    assert len(asks) == 5  # each was decided for itself


@pytest.mark.parametrize(
    "step", [blaze("ERR_INVALID_SESSION"), BrokenTransferError("", reason="cut")]
)
async def test_what_says_nothing_of_the_question_is_not_learned_from(
    bench: Make, plan: Plan, folder: Path, step: object
) -> None:
    await played(bench(*pages(1), step), plan)

    asked = [what for what, _ in log(folder) if what != "resume"]
    assert asked == ["sent", "reply", "sent", "unsent", "sent"]


async def test_a_restart_goes_on_with_what_was_known(bench: Make, plan: Plan, folder: Path) -> None:
    await played(bench(*pages(6)), plan)  # and killed: nothing is closed

    kept = look(folder)
    assert kept is not None
    assert kept.outlook() == plan.planner.outlook()
    assert kept.evidence() == plan.planner.evidence()
    assert kept.reasons() == plan.planner.reasons()
    killed = shutil.copytree(folder, folder.with_name("killed"))
    with Plan(killed, **BUDGET, now=(T0 + 60) * 1_000_000) as again:
        assert again.planner.outlook()[2] == 3


def test_a_plan_of_another_version_is_begun_anew(folder: Path) -> None:
    with Plan(folder, **BUDGET, now=T0 * 1_000_000) as made:
        made.sent(made.next(T0 * 1_000_000))
    for damaged in (b"m26 plan 0\n" + bytes(40), b"", (folder / "state").read_bytes()[:-3]):
        (folder / "state").write_bytes(damaged)
        assert look(folder) is None
        with Plan(folder, **BUDGET, now=T0 * 1_000_000) as again:
            assert again.planner.reasons() == []
        assert look(folder) is not None


def test_what_is_pinned_is_held_from_the_start_and_over_restarts(folder: Path) -> None:
    for pins in ({"paging": "false"}, {"paging": "false"}, {"order": "ending", "batch": "20"}):
        with Plan(folder, **BUDGET, now=T0 * 1_000_000, pins=pins) as made:
            held = {flag: value for flag, value, *_ in made.planner.evidence()}
        assert {flag: orjson.loads(value) for flag, value in held.items()} == {
            flag: {"false": False, "20": 20}.get(value, value) for flag, value in pins.items()
        }


async def test_accounts_of_a_platform_take_turns(tmp_path: Path, plan: Plan) -> None:
    accounts = [benches(tmp_path / name)(*pages(20)) for name in ("one", "two")]
    shared = market(accounts[0], plan)
    under_way: list[Bench] = []

    class Watched(Scripted):
        async def request(
            self, command: str, payload: str, *, params: Mapping[str, str] | None = None
        ) -> Reply:
            assert not under_way
            under_way.append(accounts[0])
            await anyio.sleep(0.001)
            under_way.clear()
            return await super().request(command, payload, params=params)

    for made in accounts:
        made.exchange.session = Watched(made.session.script, made.session.notes)

    async def both() -> None:
        async with anyio.create_task_group() as group:
            for made in accounts:
                group.start_soon(shared.collect, made.exchange)

    with pytest.raises(BaseExceptionGroup) as ended:
        await both()
    assert ended.group_contains(ScriptEndedError)
    first, second = (len(made.journal) for made in accounts)
    assert abs(first - second) <= 2
    assert first > 5


async def test_three_empty_looks_in_a_row_are_told_until_one_is_not(
    bench: Make, plan: Plan
) -> None:
    made = bench(*[reply(body(at=T0 + n)) for n in range(5)])
    seen: list[str] = []
    made.status.on_change(lambda c: seen.append(c.reason))
    await played(made, plan)
    assert "market_empty" in [why.partition(":")[0] for why in seen]

    made.session.script = pages(1)
    await played(made, plan)
    assert made.status.current.reason == ""


async def test_a_sweep_is_closed_in_the_journal(bench: Make, plan: Plan) -> None:
    made = bench(*pages(1))
    await played(made, plan, Paging(mode="none"))

    closed = made.journal[-1]
    assert closed.command == SWEEP_END
    facts = orjson.loads(closed.body)
    assert (facts["complete"], facts["why"], facts["auctions"]) == (True, "single page", 3)
    assert made.journal[0].sweep == closed.sweep == facts["started_at"]


async def test_what_matters_more_weighs_more_as_soon_as_its_card_was_seen(
    bench: Make, plan: Plan, folder: Path
) -> None:
    rows = [
        auction(1),
        auction(2, card=card(77, instance=2)),
        auction(3, card=card(78, instance=3)),
    ]
    made = bench(reply(body(*rows)))
    shared = market(made, plan, focus={"cards": {"77": 4}, "position": {"MLB": 2}})
    with pytest.raises(ScriptEndedError):
        await shared.collect(made.exchange)

    assert plan.planner.by_weight() == [(0.5, 2, 0, 0), (1.0, 1, 0, 0)]
    await shared.refocus({"position": {"MLB": 2}})
    assert plan.planner.by_weight() == [(1.0, 3, 0, 0)]
    await shared.refocus({"cards": {"78": 0.5}})
    seen = look(folder)
    assert seen is not None
    assert seen.by_weight() == plan.planner.by_weight() == [(0.5, 1, 0, 0), (1.0, 2, 0, 0)]


def test_of_several_weights_the_largest_counts() -> None:
    focus = Focus({"overall": {"90-99": 3, "85": 2}, "program": {"Core": 5}, "cards": {"4": 0.5}})
    overalls = {1: 90, 2: 85, 3: 86}
    cards = [(n, 0, "", "QB", overall, 1, 1, "Other") for n, overall in overalls.items()]

    assert focus.learn([*cards, (5, 0, "", "QB", 99, 1, 1, "Core")])
    assert not focus.learn(cards)
    assert focus.weights == {4: 0.5, 1: 3, 2: 2, 5: 5}


async def test_a_focus_that_changes_while_m26_runs_is_taken_up(
    bench: Make, plan: Plan, tmp_path: Path
) -> None:
    shared, file = market(bench(), plan), tmp_path / "focus.toml"

    async def until(given: object) -> None:
        with anyio.fail_after(10):
            while shared.focus.given != given:
                await anyio.sleep(0.01)

    async with anyio.create_task_group() as group:
        group.start_soon(partial(follow_focus, tmp_path, shared, every=0.01))
        file.write_text("[plan.focus.cards]\n78 = 2\n")
        await until({"cards": {"78": 2}})
        file.write_text("[plan.focus.cards]\n78 = 0\n")
        await anyio.sleep(0.1)
        assert shared.focus.given == {"cards": {"78": 2}}
        file.unlink()
        await until({})
        group.cancel_scope.cancel()


async def test_a_clock_that_goes_back_is_no_reason_to_end(bench: Make, plan: Plan) -> None:
    back = [reply(body(*map(auction, (3, 2, 1)), at=T0 - 7_200 + n)) for n in range(4)]
    made = bench(*pages(4), *back, *pages(4))
    await played(made, plan)

    assert len([page for page in made.journal if page.is_reply]) == 12
