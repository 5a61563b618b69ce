"""Locks of a home whose disk takes nothing any more: the error that is told is the real one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.full import full_disk

from m26.errors import StorageError
from m26.home.lock import HomeLock, Lock, take
from m26.home.runfile import RUN, announced
from m26.sim.server import Plan, run


class RealError(Exception):
    """What really went wrong."""


def read_only(path: Path) -> HomeLock:
    """A held lock whose file can no longer be written."""
    path.write_text("4711\n")
    descriptor = os.open(path, os.O_RDONLY)
    assert take(descriptor)
    return HomeLock(Lock(path, descriptor))


def raised(attempt: Callable[[], object]) -> list[type[BaseException]]:
    """The kind of error that comes out of it."""
    try:
        attempt()
    except ExceptionGroup as group:
        return [type(error) for error in group.exceptions]
    except Exception as error:  # noqa: BLE001 - which one it is, is the question
        return [type(error)]
    return []


def test_a_lock_of_a_home_that_has_become_read_only_goes_without_a_word(tmp_path: Path) -> None:
    def attempt() -> None:
        with read_only(tmp_path / "lock"):
            raise RealError

    assert raised(attempt) == [RealError]
    other = Lock(tmp_path / "lock")
    assert other.take()
    other.release()


def test_run_json_that_cannot_be_removed_hides_no_error(tmp_path: Path) -> None:
    def attempt() -> None:
        with announced(tmp_path, url="http://127.0.0.1:1"):
            in_the_way(tmp_path / RUN)
            raise RealError

    assert raised(attempt) == [RealError]


def test_sim_json_that_cannot_be_removed_hides_no_error(tmp_path: Path) -> None:
    def ready(_url: str) -> None:
        in_the_way(tmp_path / "sim.json")
        raise RealError

    assert raised(lambda: run(Plan(folder=tmp_path), ready)) == [RealError]


def in_the_way(path: Path) -> None:
    """A folder in place of a file, which nobody can unlink."""
    path.unlink()
    path.mkdir()


def test_who_asks_for_the_holder_writes_nothing(tmp_path: Path) -> None:
    left = tmp_path / "lock"
    left.write_text("4711\n")  # by a process that was killed
    left.chmod(0o400)
    before = left.stat()
    assert Lock(left).holder() is None
    assert left.read_text() == "4711\n"
    assert left.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("text", [b"", b"\n", b"\xff\n", b"nobody\n"])
def test_a_holder_that_left_no_number_is_nobody_one_could_name(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "lock"
    lock = read_only(path)
    path.write_bytes(text)
    with lock:
        assert Lock(path).holder() == 0


def test_a_lock_that_was_not_taken_whole_is_not_held(tmp_path: Path) -> None:
    with full_disk(), pytest.raises(StorageError, match="cannot use the home"):
        HomeLock.acquire(tmp_path)
    HomeLock.acquire(tmp_path).release()
