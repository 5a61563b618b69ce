"""Fixtures of the unit tests: the command line, run in this process; an exchange by a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.commands import Outcome, commands
from tests.support.scripted import Make, benches


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home in the environment."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("M26_HOME", str(folder))
    return folder


@pytest.fixture
def m26(home: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Outcome]]:
    """Runs a command line on that home."""
    with commands(capsys) as run:
        yield run


@pytest.fixture
def bench(tmp_path: Path) -> Make:
    """One account; made again in the same test, it is the same one after a restart."""
    return benches(tmp_path)
