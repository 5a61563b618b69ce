"""Captures in the home, as commands show them: a login in the clear is deleted, or told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.captures import capture, login_entry, process_entry, token_entry
from tests.support.gateway import credentials, stored

from m26.auth.vault import Vault

Command = Callable[..., Any]
START = (token_entry(), login_entry(), process_entry())


def test_a_rebuild_deletes_what_it_took_over_and_takes_nothing_that_others_can_read(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_PROFILE", "madden26")
    good, shared = (capture(home / "captures" / name, *START) for name in ("a.har", "b.har"))
    shared.chmod(0o644)
    (account,) = m26("auth", "rebuild", "--no-renew", "--json").json["accounts"]
    assert [each["state"] for each in account["captures"]] == ["imported", "unreadable"]
    assert "can be read by other users" in account["captures"][1]["problem"]
    assert (good.exists(), shared.exists()) == (False, True)
    assert Vault.open(home).read("main").tokens is not None
    shared.chmod(0o600)
    m26("auth", "rebuild", "--no-renew", "--keep")
    assert shared.exists()


def test_what_is_left_is_named(m26: Command, home: Path) -> None:
    stored(home, credentials())
    assert m26("auth", "status", "--json").json.get("captures") == []
    files = [capture(home / "captures" / name, *START) for name in ("b.flow", "two/a.har")]
    (home / "captures" / "notes.txt").write_text("")
    assert m26("auth", "status", "--json").json.get("captures") == [str(file) for file in files]
    told = m26("auth", "status").err
    assert all(f"{file} holds a login in the clear" in told for file in files)
    checks = {check["name"]: check for check in m26("doctor", "--json").json["checks"]}
    assert checks["captures"]["result"] == "warn"
    assert all(str(file) in checks["captures"]["found"] for file in files)
