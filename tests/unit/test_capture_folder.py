"""Captures hold logins in the clear: what a rebuild takes over goes, what others can read stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.captures import BEGAN, capture, login_entry, process_entry, token_entry
from tests.support.gateway import credentials, stored, tokens

from m26.auth.folder import Import, import_all
from m26.auth.origins import asked
from m26.auth.vault import Vault
from m26.config import Upstream
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
REAL = Profile.load("madden26")
START = (token_entry(), login_entry(), process_entry())


async def rebuilt(home: Path, *files: Path, keep: bool = False) -> list[Import]:
    done = await import_all(
        "main",
        files,
        vault=Vault.open(home),
        profile=REAL,
        origins=(asked(REAL, Upstream()),),
        keep=keep,
        now=BEGAN + 60,
    )
    return [*done]


async def test_a_capture_that_is_in_the_vault_whole_is_deleted_unless_it_is_kept(
    tmp_path: Path,
) -> None:
    file = capture(tmp_path / "captures" / "week.har", *START)
    (kept,) = await rebuilt(tmp_path, file, keep=True)
    assert (kept.state, kept.deleted, file.exists()) == ("imported", False, True)
    (gone,) = await rebuilt(tmp_path, file)
    assert (gone.state, gone.problem, gone.deleted, file.exists()) == ("imported", "", True, False)
    assert Vault.open(tmp_path).read("main").tokens is not None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
async def test_a_capture_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = capture(tmp_path / "captures" / "it's.har", *START)
    file.chmod(mode)
    (done,) = await rebuilt(tmp_path, file)
    assert (done.state, done.deleted) == ("unreadable", False)
    assert "can be read by other users" in done.problem
    assert f"chmod 600 '{file.parent}/it'" in done.problem
    assert Vault.open(tmp_path).accounts() == ()


async def test_a_capture_that_is_still_being_written_stays(tmp_path: Path) -> None:
    file = capture(tmp_path / "captures" / "week.har", *START)
    with file.open("ab"):
        (done,) = await rebuilt(tmp_path, file)
        assert (done.state, done.deleted) == ("imported", False)
        assert done.problem == "the file stays: it is still being written"
    assert file.exists()
    (done,) = await rebuilt(tmp_path, file)
    assert done.deleted


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def other_platform(file: Path) -> None:
    text = file.read_text().replace("madden-2026-ps5", "madden-2026-pc", 1)
    file.write_text(text)


def link(file: Path) -> None:
    real = file.with_name("real.har")
    file.rename(real)
    file.symlink_to(real)


@pytest.mark.parametrize("change", [cut, other_platform, link])
async def test_what_is_not_taken_over_whole_stays(tmp_path: Path, change: Any) -> None:
    stored(tmp_path, credentials(platform="ps5", tokens=None))
    file = capture(tmp_path / "captures" / "week.har", *START, process_entry(2, key="CANARY-2"))
    change(file)
    (done,) = await rebuilt(tmp_path, file)
    assert (done.state, done.deleted, file.exists()) == ("imported", False, True)
    assert "the file stays" in done.problem


async def test_tokens_that_were_not_taken_are_not_deleted(tmp_path: Path) -> None:
    stored(tmp_path, credentials(platform="ps5", tokens=tokens(8, at=BEGAN + 30)))
    file = capture(tmp_path / "captures" / "week.har", *START)
    (done,) = await rebuilt(tmp_path, file)
    assert (done.deleted, file.exists()) == (False, True)
