"""A month in virtual time, unattended: what passes needs nobody, what needs somebody is told."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
import structlog
from structlog.testing import capture_logs
from tests.support import servers
from tests.support.simulator import Simulator, simulator
from tests.support.worldclock import WorldClock

from m26 import config
from m26.app import upkeep
from m26.app.run import running
from m26.auth.intake import import_capture
from m26.auth.report import forecast
from m26.auth.vault import Vault
from m26.home.stops import Stop, read_stop
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio

_HOUR, _DAY = 3_600.0, 86_400.0
_PER_DAY = 144
_UNSIGNED = ("static_data", "key", "code_secret")
_TOLERANCE = 0.05
_RESOLUTION = _HOUR
"""How exactly the end of a bundle can be learned: at this pace each is used every half hour."""


@dataclass
class Month:
    """One account's run, and who looks after it."""

    clock: WorldClock
    sim: Simulator
    vault: Vault
    profile: Profile
    settings: config.Settings
    began: float
    logs: list[Any]
    """What the run logged."""
    forecasts: list[tuple[float, float | None]] = field(default_factory=list)
    """(when, hours left) as the operator was told, once in a while."""
    tokens: list[str] = field(default_factory=list)
    """What each rebuild did with the tokens."""

    @property
    def states(self) -> set[str]:
        """Every state that was told."""
        return {entry["state"] for entry in self.logs if entry["event"] == "state.changed"}

    @property
    def stop(self) -> Stop | None:
        """The STOP that holds."""
        return read_stop(self.settings.home)

    async def until(self, day: float, *, step: float = _HOUR) -> None:
        """Let the run pass the time, looking in now and then; returns early at a STOP."""
        end, due = self.began + day * _DAY, 0.0
        while self.stop is None and (now := self.clock.time()) < end:
            if now >= due:
                due = now + step
                held = self.vault.read("main")  # in this turn of the loop: time stands still
                left = forecast(held, self.profile, now=now).seconds_left
                self.forecasts.append((now, left))
            await anyio.sleep(0.001)

    async def rebuild(self) -> None:
        """What cron does every week."""
        own = WorldClock(self.clock.path, grace=0.05)  # the run's requests are on the way
        done = await upkeep.rebuild_home(self.settings, self.vault, renew=True, clock=own.clock())
        self.tokens += [each.tokens for each in done.accounts]

    async def capture(self) -> None:
        """The operator puts a new capture into the folder."""
        answer = await anyio.to_thread.run_sync(lambda: self.sim.control(capture="demo"))
        folder = self.settings.home / "captures"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{self.clock.time():.0f}.har"
        path.write_bytes(orjson.dumps(answer["capture"]))
        path.chmod(0o600)

    async def fault(self, name: str, day: float, hours: float, **members: Any) -> None:
        """Something will be wrong with the upstream at that time, for so long."""
        after = self.began + day * _DAY
        document = {"fault": name, "kind": "any", "after": after, "until": after + hours * _HOUR}
        await anyio.to_thread.run_sync(lambda: self.sim.control(**document, **members))

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the simulator's ledger."""
        path = self.sim.folder / "ledger.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return db.execute(query).fetchall()

    def hours_left_were_right(self, ended: float, *, since: float) -> None:
        """Every forecast since then came true, within the tolerance."""
        checked = 0
        for told_at, left in self.forecasts:
            if not since <= told_at < ended - _HOUR:
                continue
            assert left is not None, (told_at - self.began) / _HOUR
            real = ended - told_at
            assert abs(left - real) <= _TOLERANCE * real + _RESOLUTION, (left / _HOUR, real / _HOUR)
            checked += 1
        assert checked >= 3


@asynccontextmanager
async def month(
    folder: Path,
    dsn: str,
    redis_url: str,
    *,
    signs: bool = True,
    capture: Callable[[dict[str, Any]], None] = lambda _: None,
    **control: float,
) -> AsyncIterator[Month]:
    """A run that has begun; `capture` may change the HAR that it begins with."""
    clock = WorldClock(folder / "clock")
    arguments = ("--size", "8", "--speed", "1", "--clock", str(clock.path))
    text = (files("m26") / "profiles" / "sim.toml").read_text("utf-8")
    text = text.replace('name = "sim"', 'name = "month"').replace('mode = "url"', 'mode = "none"')
    if not signs:
        text = "\n".join(line for line in text.splitlines() if not line.startswith(_UNSIGNED))
    path = folder / "month.toml"
    path.write_text(text)
    with simulator(folder / "sim", *arguments) as sim:
        await anyio.to_thread.run_sync(lambda: sim.control(**control))
        home = folder / "home"
        settings = {
            "home": home,
            "profile": str(path),
            "upstream.oauth_url": sim.url,
            "upstream.base_url": sim.url,
            "postgres.dsn": dsn,
            "redis.url": redis_url,
            "web.port": 0,
            "budget.per_day": _PER_DAY,
        }
        loaded = config.load(settings)
        vault = Vault.open(home)
        document = orjson.loads((sim.folder / "capture.har").read_bytes())
        capture(document)
        first = folder / "first.har"
        first.write_bytes(orjson.dumps(document))
        import_capture(vault, first, platform="sim", now=clock.time())
        structlog.reset_defaults()
        with capture_logs() as logs:
            made = Month(
                clock, sim, vault, Profile.load(str(path)), loaded.settings, clock.time(), logs
            )
            async with running(loaded, clock=clock.clock()):
                yield made


_SPANS = [pytest.param(6.0, id="6"), pytest.param(30.0, id="30", marks=pytest.mark.soak)]


@pytest.mark.parametrize("days", _SPANS)
async def test_days_of_rotating_tokens_need_nobody(
    tmp_path: Path, database: str, redis_url: str, days: float
) -> None:
    week = days / 30 * 7
    async with month(tmp_path, database, redis_url, session_ttl=1_500, token_ttl=14_400) as made:
        await made.fault("unavailable", days * 0.18, 2)
        await made.fault("xml_200", days * 0.57, 0.7, number=503, text="Maintenance")
        await made.fault("status", days * 0.39, 0.4, status=512, form="empty")
        for number in range(1, 5):
            await made.until(number * week)
            await made.capture()
            await made.rebuild()
        await made.until(days)
        assert made.stop is None
        assert {left for _, left in made.forecasts} == {None}
        assert made.tokens == ["renewed"] * 4

        answers = dict(
            made.ask("SELECT answer, count(*) FROM request WHERE kind = 'token' GROUP BY 1")
        )
        assert answers.keys() <= {"ok", "html 503", "xml 200", "empty 512"}, answers
        assert answers["ok"] > days * _DAY / 14_400 * 0.8
        served = made.ask("SELECT count(*) FROM request WHERE kind = 'process' AND answer = 'ok'")
        assert served[0][0] > days * _PER_DAY / 3
        spent = made.ask(
            "SELECT max((SELECT count(*) FROM request b WHERE b.kind <> 'capture'"
            " AND b.at > a.at - 86400 AND b.at <= a.at)) FROM request a WHERE a.number % 20 = 0"
        )
        assert spent[0][0] <= _PER_DAY
        assert {"collecting", "backing_off", "paused"} <= made.states
        assert "stopped" not in made.states


@pytest.mark.parametrize("days", _SPANS)
async def test_a_pool_of_bundles_runs_out_when_the_forecast_says(
    tmp_path: Path, database: str, redis_url: str, days: float
) -> None:
    week = days / 30 * 7
    life = week * 8 / 7 * _DAY
    async with month(
        tmp_path, database, redis_url, signs=False, session_ttl=1_500, bundle_ttl=life
    ) as made:
        newest = 0.0
        for number in range(1, 4):
            await made.until(number * week)
            newest = made.clock.time()
            await made.capture()
            await made.rebuild()
        assert made.stop is None
        await made.until(days * 2, step=week / 50 * _DAY)
        stop = made.stop
        assert stop is not None
        assert (stop.reason, stop.account) == ("no_signature", "main")
        assert "Import a capture" in stop.what_to_do
        ended = newest + life
        # retries at growing pauses, each after a slot of its own: one in ten minutes here
        assert made.clock.time() <= ended + 13 * _HOUR
        made.hours_left_were_right(ended, since=newest + 4 * _HOUR)


async def test_a_capture_without_a_refresh_token_ends_when_the_forecast_says(
    tmp_path: Path, database: str, redis_url: str
) -> None:
    def without_refresh(document: dict[str, Any]) -> None:
        del document["log"]["entries"][0]  # the token exchange; the login shows the access token

    async with month(
        tmp_path,
        database,
        redis_url,
        capture=without_refresh,
        session_ttl=600,
        token_ttl=_HOUR,
    ) as made:
        ended = made.began + _HOUR
        await made.until(1, step=300)
        await servers.until(lambda: made.stop)
        stop = made.stop
        assert stop is not None
        assert stop.reason == "no_credentials"
        assert "m26 auth" in stop.what_to_do
        assert ended - 600 <= made.clock.time() <= ended + _HOUR
        # Later a session in use may outlive the token, and the forecast counts that in.
        early = [told for told in made.forecasts if told[0] < ended - _HOUR / 2]
        assert len(early) >= 3
        for told_at, left in early:
            assert left is not None
            assert abs(left - (ended - told_at)) <= _TOLERANCE * (ended - told_at)
