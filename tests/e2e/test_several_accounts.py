"""One ``m26 run`` for four accounts on three platforms: apart from each other, and all of them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import asyncpg
import orjson
import pytest
from tests.oracle import trial
from tests.support import product
from tests.support.product import Home
from tests.support.simulator import Simulator, simulator

ACCOUNTS = {"one": "ps5", "two": "xbsx", "three": "sim", "four": "ps5"}
BUDGET = {"budget__per_day": 345_600, "budget__per_minute": 300, "budget__burst": 10}


@pytest.fixture
def sim(tmp_path: Path, seed: int) -> Iterator[Simulator]:
    accounts = [part for item in ACCOUNTS.items() for part in ("--account", ":".join(item))]
    market = ("--size", "60", "--seed", str(seed))
    with simulator(tmp_path / "sim", *market, *accounts) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, sim: Simulator, database: str, redis_url: str) -> Iterator[Home]:
    profile = tmp_path / "several.toml"
    text = (files("m26") / "profiles" / "sim.toml").read_text("utf-8")
    text = text.replace('name = "sim"', 'name = "several"', 1)
    profile.write_text(text.replace('["sim"]', '["ps5", "xbsx", "sim"]'))
    with product.home(
        tmp_path / "home",
        profile=profile,
        upstream__oauth_url=sim.url,
        upstream__base_url=sim.url,
        postgres__dsn=database,
        redis__url=redis_url,
        **BUDGET,
    ) as made:
        for name, platform in ACCOUNTS.items():
            capture = "capture.har" if name == "one" else f"capture-{name}.har"
            made.m26("auth", "import", str(sim.folder / capture), "--account", name,
                     "--platform", platform)  # fmt: skip
        yield made


def asked(sim: Simulator) -> dict[str, int]:
    """Requests of each account, by the simulator's ledger; the captures' own are not theirs."""
    with closing(sqlite3.connect(f"file:{sim.folder / 'ledger.db'}?mode=ro", uri=True)) as db:
        query = "SELECT account, count(*) FROM request WHERE kind <> 'capture' GROUP BY account"
        return {str(name): int(count) for name, count in db.execute(query) if name}


async def platforms(dsn: str) -> dict[str, int]:
    connection = await asyncpg.connect(dsn)
    try:
        query = "SELECT platform, count(*) FROM m26.auction GROUP BY platform"
        return {row[0]: row[1] for row in await connection.fetch(query)}
    finally:
        await connection.close()


def test_four_accounts_on_three_platforms_are_collected_for_by_one_run(
    sim: Simulator, home: Home, database: str
) -> None:
    with home.running() as run:
        run.until(lambda: len(asked(sim)) == 4 and min(asked(sim).values()) >= 8)
        status = run.status
        assert {a["name"]: a["platform"] for a in status["accounts"]} == ACCOUNTS
        for account in status["accounts"]:
            assert (account["state"], account["strategy"]) == ("collecting", "signed")
            assert 0 < account["budget"]["day"] < 345_600
            assert account["next_request_at"]
            assert account["auth_seconds_left"]["access_token"] > 0
        run.until(lambda: run.status["budget"]["day"] <= 345_600 - 8)  # of all accounts the least
        assert home.m26("status").stdout.count("\naccount ") == 4
        assert run.end() == 143

    for name, count in asked(sim).items():
        book = orjson.loads((home.path / "budget" / f"{name}.json").read_bytes())
        spent = sum(n for _, n in book["entries"]["spent"])
        # Spent first, then sent: the end may have come in between, for one request of each.
        assert count <= spent <= count + 1, name
    history = trial.hold(sim.folder / "ledger.db", home)
    assert history.head > 100
    assert set(asyncio.run(platforms(database))) == set(ACCOUNTS.values())


def test_a_dead_login_stops_its_account_alone_and_a_captcha_everybody(
    sim: Simulator, home: Home
) -> None:
    with home.running() as run:
        run.until(lambda: len(asked(sim)) == 4 and min(asked(sim).values()) >= 3)
        for fault in ({"fault": "token_kill"}, {"fault": "invalid_grant", "status": 400}):
            sim.control(account="four", next=1, **fault)
        run.until(lambda: "login_again" in run.reasons, seconds=40)
        stopped = {a["name"]: a["state"] for a in run.status["accounts"]}
        assert stopped == {"one": "collecting", "two": "collecting", "three": "collecting",
                           "four": "stopped"}  # fmt: skip
        before = asked(sim)
        run.until(lambda: all(asked(sim)[n] > before[n] + 5 for n in ("one", "two", "three")))
        assert asked(sim)["four"] == before["four"]

        sim.control(fault="captcha", account="one", next=1)
        run.until(lambda: "captcha" in run.reasons)
        at_stop = asked(sim)
        run.until(lambda: {a["state"] for a in run.status["accounts"]} == {"stopped"})
        document = orjson.loads((home.path / "stop.json").read_bytes())
        assert (document["reason"], document["account"]) == ("login_again", "four")
        assert [other["reason"] for other in document["others"]] == ["captcha"]
        shown = home.m26("status", code=1).stdout
        assert "four alone" in shown
        assert "captcha" in shown
        assert 'm26_state{state="stopped"} 1.0' in run.get("/metrics").text
        # What was on the wire when it came may still have arrived; nothing after that.
        assert sum(asked(sim).values()) <= sum(at_stop.values()) + 3
        run.kill()

    assert home.m26("run", "--for", "20s", code=4).stderr, "it holds over a restart"
    still = asked(sim)
    assert sum(still.values()) <= sum(at_stop.values()) + 3
    assert len(orjson.loads(home.m26("resume", "--json").stdout)["all_cleared"]) == 2
    assert not (home.path / "stop.json").exists()
