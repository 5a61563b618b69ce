"""``m26 run`` as its operator sees it: from nothing to a record, over restarts, to exit codes."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.docs.pages import DOCS, ROOT, quoted, rows, section
from tests.oracle import trial
from tests.support import product
from tests.support.product import LIVELY, Home, Run

from m26.journal import segment
from m26.upstream.profile import Profile
from m26.upstream.rules import RULES


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with product.home(tmp_path / "home", **_underscored(LIVELY)) as made:
        yield made


@pytest.fixture(scope="module", autouse=True)
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run whose database is not there: it waits half a minute, while other tests work."""
    folder = tmp_path_factory.mktemp("waiting")
    dsn = f"postgresql:///m26?host={folder}/nothing"
    with product.home(folder / "home", profile="sim", postgres__dsn=dsn) as made:
        run = made.start()
        try:
            yield run
        finally:
            run.kill()


def test_the_demo_starts_from_nothing_goes_on_and_ends_by_each_signal(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = home.m26("run", "--for", "3s")
    for said in ("built-in simulator", "embedded", str(home.path), "/api/v1/status", "Ctrl-C"):
        assert said in done.stdout
    first = _journal(home)
    assert first

    with monkeypatch.context() as shell:
        shell.setenv("PGOPTIONS", "-c search_path=nowhere")
        shell.setenv("PGTARGETSESSIONATTRS", "standby")
        begun = home.start()
    with begun.serving() as run:
        run.grow()
        assert run.status["simulator"]
        assert run.get("/healthz").status_code == 200
        run.until(lambda: run.get("/readyz").status_code == 200)
        _sees_the_first_of_everything(run.get("/metrics").text)
        assert "collecting" in home.m26("status").stdout
        assert "another m26" in home.m26("run", "--for", "1s", code=75).stderr
        assert run.status["pid"] == run.process.pid
        assert run.end(signal.SIGINT) == 130
    assert not (home.path / "run.json").exists()
    assert "does not run" in home.m26("status", code=1).stdout
    second = _journal(home)
    assert second[: len(first)] == first
    assert len(second) > len(first)

    for number in (signal.SIGTERM, signal.SIGHUP):
        with home.running() as run:
            run.grow()
            assert run.end(number) == 128 + number

    history = trial.hold(home.path / "sim" / "ledger.db", home)
    positions = _journal(home)
    assert positions == list(range(len(positions)))
    assert asyncio.run(_cursors(home)) == [len(positions)]  # what was received is stored
    head = history.head
    tail = home.m26("tail", "--from", "1", "--json", "--limit", str(head)).stdout.splitlines()
    assert [line.encode() for line in tail] == [data for _, data in history.documents]


def test_given_servers_are_used_in_place_of_the_embedded_ones(
    tmp_path: Path, database: str, redis_url: str
) -> None:
    given = {"profile": "sim", "postgres__dsn": database, "redis__url": redis_url}
    loud = {"log__level": "debug", "log__format": "console"}
    with product.home(tmp_path / "home", **given, **loud, **_underscored(LIVELY)) as home:
        done = home.m26("run", "--for", "3s")
        assert "embedded" not in done.stdout
        assert not (home.path / "postgres").exists()
        assert not (home.path / "valkey").exists()
        history = trial.hold(home.path / "sim" / "ledger.db", home)
        assert history.head > 100
        assert "[debug" in home.log.read_text()


def test_a_database_without_an_account_is_not_filled_with_a_demo(
    tmp_path: Path, database: str
) -> None:
    with product.home(tmp_path / "home", postgres__dsn=database) as home:
        done = home.m26("run", "--for", "2s", code=4)
        assert "no account" in done.stderr
        assert "auth import" in done.stderr


@pytest.mark.parametrize("key", ["postgres__dsn", "redis__url"])
def test_a_malformed_address_is_a_setting_to_correct(tmp_path: Path, key: str) -> None:
    with product.home(tmp_path / "home", profile="sim", **{key: "CANARY://host:x/y"}) as home:
        done = home.m26("run", "--for", "2s", "--json", code=3)
        error = orjson.loads(done.stdout)["error"]
        assert error["code"] == "config"
        assert f"M26_{key.upper()}" in error["hint"]
        assert "CANARY" not in done.stdout + done.stderr


def test_a_config_file_that_cannot_be_read_is_said(home: Home) -> None:
    config = home.path / "config.toml"
    for content in (b"[web\nport = 1", b"\xff\xfe", b"webb.port = 1"):
        config.write_bytes(content)
        done = home.m26("run", "--for", "2s", code=3)
        assert str(config) in done.stderr
        assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there_is_waited_for_and_then_said(waiting: Run) -> None:
    assert waiting.process.wait(60) == 6
    assert "cannot connect to PostgreSQL" in waiting.home.log.read_text()


def _sees_the_first_of_everything(metrics: str) -> None:
    """Each known label has its sample before anything happens, and so has each alert."""
    samples = [each for found in text_string_to_metric_families(metrics) for each in found.samples]

    def known(metric: str, *labels: str) -> set[tuple[str, ...]]:
        return {tuple(s.labels[name] for name in labels) for s in samples if s.name == metric}

    commands = {command.name for command in Profile.load("sim").commands.values()}
    assert known("m26_requests_total", "command", "outcome") == {
        (command, outcome) for command in {*commands, "login"} for outcome in RULES
    }
    source = (ROOT / "rust/src/error.rs").read_text()
    reasons = {(code,) for code in re.findall(r'Self::\w+ => "([a-z_0-9]+)"', source)}
    told = section(DOCS / "DATA.md", "reject").split("\n\n| reason", 1)[1]
    reasons |= {(cells[0].strip("`"),) for cells in rows("| reason" + told)}
    quarantined = {(rule.reason,) for rule in RULES.values() if rule.quarantine}
    assert len(reasons) > len(quarantined)
    assert reasons | quarantined <= known("m26_rejects_total", "reason")
    page = DOCS / "OPERATIONS.md"
    why = next(cells[2] for cells in rows(section(page, "States")) if "`stream_rebuilt`" in cells)
    assert known("m26_stream_rebuilds_total", "reason") == {(code,) for code in quoted(why)}

    for metric, selector in _alerts(section(page, "Metrics")):
        wanted = dict(re.findall(r'(\w+)="(\w+)"', selector))
        assert [s for s in samples if s.name == metric and wanted.items() <= s.labels.items()], (
            metric
        )
    families = {
        name
        for name, kind in re.findall(r"^# TYPE (m26_\w+) (\w+)$", metrics, re.MULTILINE)
        if kind == "counter"
    }
    assert families <= {s.name for s in samples}


def _alerts(page: str) -> list[tuple[str, str]]:
    """Metric and selector of each expression that is worth an alert."""
    shown = page.split("Worth an alert:", 1)[1]
    found = re.findall(r"(m26_\w+)(\{.*?\})?", shown)
    assert len(found) >= 5
    return found


def _journal(home: Home) -> list[int]:
    """Positions of all records, oldest first."""
    paths = segment.segment_paths(home.path / "journal")
    return [record.pos for path in paths for record in segment.read_segment(path)]


async def _cursors(home: Home) -> list[int]:
    async with trial.servers(home) as (dsn, _):
        connection = await asyncpg.connect(dsn)
        try:
            rows = await connection.fetch("SELECT pos FROM m26.ingest_cursor")
        finally:
            await connection.close()
    return [row["pos"] for row in rows]


def _underscored(settings: dict[str, int]) -> dict[str, int]:
    return {key.replace(".", "__"): value for key, value in settings.items()}
