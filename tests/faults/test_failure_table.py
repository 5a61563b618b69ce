"""Every row of the failure table, over real HTTP, in virtual time: what is asked, told and kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest
from tests.faults.failures import LOOK_ALIKES, ROWS
from tests.faults.rows import Fault, Row
from tests.faults.virtual import Asked, Trial, Trials, simulated
from tests.support.simulator import Simulator
from tests.support.worldclock import WorldClock

from m26 import config
from m26.app.run import running
from m26.home.stops import read_stop
from m26.upstream.rules import RULES
from m26.upstream.verdicts import RefusedError

pytestmark = pytest.mark.anyio

_ELSEWHERE = {
    "ok",
    "unreachable",
    "certificate",
    "unsendable",
    "refresh_lost",
    "no_credentials",
    "no_client",
    "no_signature",
    "bundles_resting",
    "vault_unusable",
}
"""Rows that no reply of the gateway provokes: they have tests of their own."""
_PARTIAL = {
    *("reset", "half_gzip", "short_body", "drip", "black_hole", "encoding"),
    *("too_large", "gzip_bomb"),
}
"""Faults after which there is no whole reply that could be kept."""
_NAMES = [row.name for row in ROWS]
_ACCOUNTS = [f"a{number}" for number in range(len(ROWS) + len(LOOK_ALIKES) + 20)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> WorldClock:
    return WorldClock(tmp_path_factory.mktemp("clock") / "clock")


@pytest.fixture(scope="module")
def accounts() -> Iterator[str]:
    return iter(_ACCOUNTS)


@pytest.fixture(scope="module")
def sim(
    tmp_path_factory: pytest.TempPathFactory, world: WorldClock, seed: int
) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("table")
    with simulated(folder, world, _ACCOUNTS, "--seed", str(seed)) as running:
        yield running


@pytest.fixture
def trials(
    tmp_path: Path,
    accounts: Iterator[str],
    sim: Simulator,
    world: WorldClock,
    database: str,
    redis_url: str,
) -> Trials:
    return Trials(tmp_path, accounts, sim, world, database, redis_url)


def test_every_row_of_the_table_is_provoked() -> None:
    assert {row.reason for row in ROWS} | _ELSEWHERE >= set(RULES)
    assert len(set(_NAMES)) == len(_NAMES)


@pytest.mark.parametrize("row", ROWS, ids=_NAMES)
async def test_a_failure_is_answered_as_the_table_says(trials: Trials, row: Row) -> None:
    async with trials.start() as made:
        await made.strike(*row.faults)
        if row.stops is None:
            await made.until(lambda: len(_after(made)) > len(row.then) + 1)
        else:
            await made.until(lambda: read_stop(made.home))
            await _stopped(made, row)
        await made.hold() if row.stops is None else await anyio.sleep(0.05)
        asked = _after(made)
        _followed(asked, row)
        _told(made, row)
        await _counted(made, row)
    await _kept(made, row)
    if row.stops is not None:
        await _survives(made, row)


@pytest.mark.parametrize("fault", [f for _, f in LOOK_ALIKES], ids=[n for n, _ in LOOK_ALIKES])
async def test_what_only_looks_like_a_failure_is_none(trials: Trials, fault: Fault) -> None:
    async with trials.start(paging=fault["fault"].startswith("page_")) as made:
        await made.strike({**fault, "next": 3})
        await made.until(lambda: len(made.asked()) > 12)
        await made.hold()
        asked = made.asked()
        assert {request.kind for request in asked} == {"process"}
        told = [entry for entry in made.logs if entry["log_level"] != "debug"]
        assert not [entry for entry in told if entry["event"].startswith("gateway.")]
    await made.judge_store()
    assert await made.rejects() == []


def _after(made: Trial) -> list[Asked]:
    """The first request that was struck, and all that followed."""
    asked = made.asked()
    struck = next((i for i, request in enumerate(asked) if request.fault), len(asked))
    return asked[struck:]


def _followed(asked: list[Asked], row: Row) -> None:
    for number, (wanted, before, found) in enumerate(
        zip(row.then, asked, asked[1:], strict=False), 1
    ):
        gap = found.at - before.at
        assert found.kind == wanted.kind, (number, str(wanted), asked)
        assert wanted.least - 0.01 <= gap <= wanted.most + 0.01, (number, str(wanted), gap, asked)
    assert len(asked) > len(row.then)
    if row.stops is not None:
        assert len(asked) == len(row.then) + 1, asked


def _told(made: Trial, row: Row) -> None:
    logged = [entry for entry in made.logs if entry.get("reason") == row.reason]
    assert logged, [entry["event"] for entry in made.logs]
    if row.state:
        told = [told for told in made.told if told.state == row.state]
        assert any(told.reason.startswith(f"{row.reason}:") and told.advice for told in told), (
            made.told
        )


async def _counted(made: Trial, row: Row) -> None:
    """The reason is in the metrics, as operators scrape them."""
    url = made.run.snapshot()["url"]
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        text = (await http.get(f"{url}/metrics")).text
    assert f'outcome="{row.reason}"' in text
    state = "stopped" if row.stops is not None else "collecting"
    assert f'm26_state{{state="{state}"}} 1.0' in text or row.stops is None, text


async def _stopped(made: Trial, row: Row) -> None:
    """A STOP is told within seconds, in every place, and nothing is asked any more."""
    held = read_stop(made.home)
    assert held is not None
    assert (held.reason, held.account) == (row.reason, made.account)
    assert "m26 resume" in held.what_to_do
    await made.until(lambda: made.run.snapshot()["state"]["state"] == "stopped", seconds=5)
    state = made.run.snapshot()["state"]
    assert str(state["reason"]).startswith(f"{row.reason}:")
    assert state["advice"]


async def _kept(made: Trial, row: Row) -> None:
    """Every whole reply to a command is in the journal; the odd ones are in the quarantine too."""
    whole = [
        request
        for request in _all(made)
        if request.kind == "process" and request.fault not in _PARTIAL
    ]
    replies = [page for page in made.pages() if page.is_reply]
    assert len(replies) == len(whole), (len(replies), len(whole))
    rejects = await made.rejects()
    assert [reason for reason, _ in rejects] == [row.kept_as or row.reason] * row.quarantined
    assert all(raw for _, raw in rejects)
    await made.judge_store()


def _all(made: Trial) -> list[Asked]:
    made.since = 0
    return made.asked()


async def _survives(made: Trial, row: Row) -> None:
    """The STOP holds over a restart: no request, and the exit code of its reason."""
    before = made.last()
    loaded = config.load(made.settings)
    with pytest.raises(RefusedError) as caught:
        async with running(loaded, end_on_stop=True):
            await anyio.sleep(5)
    assert caught.value.exit_code == row.stops
    assert made.last() == before
