"""What an operator chooses by name: accounts, platforms, reasons, folders of captures."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.captures import har, login_entry, process_entry, token_entry
from tests.support.gateway import credentials, stored

from m26.app.opening import check_room
from m26.config import load
from m26.errors import StorageError
from m26.journal.files import Files
from m26.store.rejects import REASONS

ROOT = Path(__file__).parents[2]
Command = Callable[..., Any]


def test_a_dry_run_shows_the_accounts_that_a_run_would_use(m26: Command, home: Path) -> None:
    assert m26("run", "--dry-run", "--json").json["accounts"] == ["the simulator's"]
    stored(home, credentials(), account="sim")  # left by a demo
    stored(home, credentials(platform="ps5"), account="main")
    stored(home, credentials(platform="xone"), account="second")
    plan = m26("run", "--dry-run", "--json").json
    assert (plan["accounts"], plan["profile"]) == (["main", "second"], "madden26")
    assert m26("run", "--dry-run", "--json", "--account", "main").json["accounts"] == ["main"]


def test_a_dry_run_ends_as_a_run_would(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = m26("run", "--dry-run", "--account", "nobody")
    assert (unknown.code, "nobody" in unknown.err) == (4, True)
    stored(home, credentials(platform="sim"), account="elsewhere")
    other = m26("run", "--dry-run")
    assert (other.code, "elsewhere" in other.err, "xbsx" in other.err) == (3, True, True)
    monkeypatch.setenv("M26_PROFILE", "sim")
    demo = m26("run", "--dry-run", "--account", "elsewhere")
    assert (demo.code, "--account" in demo.err) == (3, True)


@pytest.mark.parametrize(
    ("line", "known"),
    [
        ("replay page.json --platform ps7", "xbsx"),
        ("normalize page.json -o rows.csv --platform ps7", "xbsx"),
        ("normalize page.json -o rows.csv --format odd", "ndjson"),
        ("auth import start.har --platform ps7", "xbsx"),
        ("auth login --platform ps7", "xbsx"),
        ("rejects ls --reason odd", "number_range"),
        ("rejects retry --reason odd", "number_range"),
        ("rejects drop --reason odd --yes", "number_range"),
        ("rejects ls --state odd", "dropped"),
    ],
)
def test_an_unknown_name_is_refused_with_those_that_there_are(
    m26: Command, home: Path, line: str, known: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    (home / "page.json").write_bytes(b"{}")
    (home / "start.har").write_bytes(har([token_entry(), login_entry(), process_entry()]))
    result = m26(*line.split())
    assert result.code == 2
    assert known in result.err
    assert not (home / "postgres").exists(), "no server is started for it"


def test_every_reason_that_an_item_can_have_is_known() -> None:
    codes = re.findall(r'Self::\w+ => "(\w+)",\n', (ROOT / "rust/src/error.rs").read_text("utf-8"))
    assert len(codes) > 15
    page = (ROOT / "docs" / "DATA.md").read_text("utf-8")
    table = page.split("| reason | means |")[1].split("\n\n")[0]
    assert {*codes, *re.findall(r"^\| `(\w+)`", table, re.MULTILINE)} <= REASONS


def test_an_import_reads_the_captures_of_a_folder(m26: Command, home: Path) -> None:
    folder = home / "mine"
    folder.mkdir()
    (folder / "a.har").write_bytes(har([token_entry(), login_entry()]))
    (folder / "b.har").write_bytes(har([process_entry()]))
    (folder / "notes.txt").write_text("of no use")
    done = m26("auth", "import", str(folder), "--platform", "ps5", "--json")
    assert done.code == 0, done.err
    assert [Path(each["file"]).name for each in done.json["captures"]] == ["a.har", "b.har"]
    (home / "none").mkdir()
    assert m26("auth", "import", str(home / "none")).code == 2


class NearlyFull(Files):
    """A disk with 20 MiB left."""

    def free(self, folder: Path) -> int:
        return 20 * 2**20


def test_a_new_database_is_not_begun_on_a_disk_without_room(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match=f"20 MiB are free on the disk of {home}"):
        check_room(load().settings, files=NearlyFull())
    (home / "postgres" / "data").mkdir(parents=True)
    check_room(load().settings, files=NearlyFull())  # it is there already: the journal watches
    (home / "postgres" / "data").rmdir()
    monkeypatch.setenv("M26_POSTGRES__DSN", "postgresql:///elsewhere")
    check_room(load().settings, files=NearlyFull())
