"""``--json`` of every command: one object with its version, also where the command fails."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from cyclopts import App
from tests.support import documents
from tests.support.captures import har, login_entry, process_entry, token_entry
from tests.support.commands import commands
from tests.support.journals import make_page, open_journal
from tests.support.wire import auction, body

from m26.cli import build
from m26.status.metrics import Metrics
from m26.store.database import opened
from m26.store.rollups import Rollups

NO_DOCUMENT = {"embedded psql", "plan serve"}
"""They print what psql prints, and what a dialogue asks for."""
SERVING = ("sim", "embedded start")
"""They print their document when they serve, until they are asked to end."""
WAYS: dict[str, str] = {
    "auth import": "{files}/start.har --platform ps5",
    "auth login": "--print-url",
    "auth status": "",
    "auth rebuild": "--no-renew",
    "auth addon": "",
    "auth rekey": "",
    "config show": "",
    "run": "--dry-run",
    "status": "",
    "top": "",
    "upstream show": "",
    "plan explain": "57828095",
    "plan forecast": "--per-day 8000",
    "plan focus": "",
    "doctor": "",
    "resume": "",
    "normalize": "{files}/page.json -o {files}/rows.ndjson --platform ps5",
    "db migrate": "",
    "db status": "",
    "db prune": "--older 400d",
    "replay": "{files}/page.json --platform ps5",
    "market floor": "",
    "market deals": "",
    "market movers": "",
    "market show": "drew sanders",
    "market sales": "drew sanders",
    "market depth": "drew sanders",
    "market index": "",
    "market diff": "--from 2026-09-01T12:00:00Z",
    "market basket": "{files}/set.txt",
    "market calibration": "",
    "market value": "{files}/market.ndjson --at 2026-09-03T12:00:00Z",
    "tail": "--from 1 --limit 1",
    "journal ls": "",
    "journal export": "{files}/pages.seg",
    "journal ack": "",
    "journal new-id": "",
    "rejects ls": "",
    "rejects show": "1",
    "rejects retry": "--all",
    "rejects drop": "--all --yes",
    "auth forget": "--all --yes",
    "embedded status": "",
    "embedded dsn": "",
    "embedded stop": "",
    **dict.fromkeys(SERVING, ""),
}
"""How each command comes to a document, in an order in which each can."""


def every_command(app: App, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name in app:
        if not name.startswith("-"):
            if app[name].default_command is not None:
                yield " ".join((*path, name))
            yield from every_command(app[name], (*path, name))


COMMANDS = sorted(every_command(build()))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("M26_HOME", str(folder))
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_fails_prints_an_object_with_its_version(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("M26_WEB__PORT", "no port")
    with commands(capsys) as m26:
        failed = [m26(*command.split(), "--json")]
        if command not in NO_DOCUMENT:  # which hands its options on
            failed.append(m26(*command.split(), "--json", "--no-such-option"))
    for done in failed:
        assert done.code in {2, 3} or (command, done.code) == ("doctor", 1)
        told = "checks" if done.code == 1 else "error"  # a doctor's findings are its document
        assert done.json.keys() == {"schema_version", told}
        assert done.json["schema_version"] == 1


def test_every_command_prints_one_object_with_its_version(
    home: Path,
    tmp_path: Path,
    database: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert {*WAYS, *NO_DOCUMENT} == {*COMMANDS}
    capture = har([token_entry(), login_entry(), process_entry()])
    (tmp_path / "start.har").write_bytes(capture)
    (home / "captures").mkdir(mode=0o700)
    (home / "captures" / "week.har").write_bytes(capture)
    (tmp_path / "page.json").write_bytes(body(auction(1), auction(2, currentBid=1.5)))
    (tmp_path / "market.ndjson").write_bytes(
        b'{"trace": {"schema": 1}}\n{"card": {"card_id": 7}}\n'
    )
    (tmp_path / "set.txt").write_text("2 x drew sanders\n", "utf-8")
    journal = open_journal(home / "journal")
    journal.append(make_page(1))
    journal.close()
    monkeypatch.setenv("M26_POSTGRES__DSN", database)
    monkeypatch.setenv("M26_REDIS__URL", redis_url)
    with commands(capsys) as m26:
        for command, way in WAYS.items():
            if command == "market floor":  # of what `replay` has stored
                asyncio.run(roll_up(database))
            if command in SERVING:
                printed = serving(*command.split(), "--json")
            else:
                done = m26(*command.split(), *way.format(files=tmp_path).split(), "--json")
                printed = done.json
                assert "error" not in printed, (command, done)
            assert isinstance(printed, dict), f"{command}: {printed}"
            if command == "tail":
                documents.strict(documents.DOCUMENTS[command]).validate(printed)  # as in the stream
            else:
                assert printed.get("schema_version") == 1, f"{command}: {printed}"
                documents.check_printed(documents.DOCUMENTS[command], printed)


async def roll_up(dsn: str) -> None:
    async with opened(dsn) as store:
        await Rollups(store, turn=anyio.Lock(), metrics=Metrics()).step()


def serving(*arguments: str) -> Any:
    """What a command prints when it serves; then it is asked to end."""
    line = [sys.executable, "-m", "m26", *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        printed = json.loads(process.stdout.readline())
        process.terminate()
    assert process.returncode == 143
    return printed
