"""A STOP survives, blocks whom it concerns, and is lifted by the operator alone."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from tests.support.virtual import Clock

from m26.errors import StorageError
from m26.home.stops import STOP, Stop, clear_stop, read_stop, read_stops, write_stop
from m26.limits.halt import Halt, StoppedError
from m26.status.conditions import State, Status
from m26.upstream.rules import RULES

pytestmark = pytest.mark.anyio


def halt(home: Path, status: Status | None = None, *, ends: bool = False) -> Halt:
    return Halt(home, status or Status(), ends=ends, clock=Clock())


async def test_a_stop_is_written_told_and_waited_out(tmp_path: Path) -> None:
    status = Status()
    held = halt(tmp_path, status)
    await held.stop("main", RULES["captcha"])
    written = read_stop(tmp_path)
    assert written is not None
    assert (written.reason, written.account, written.scope) == ("captcha", "main", "home")
    assert status.current.state is State.STOPPED
    assert status.current.reason.startswith("captcha: ")
    assert "m26 resume" in status.current.advice
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(held.wait, "main")
            await anyio.sleep(0.01)
            clear_stop(tmp_path)
    assert status.current.state is State.COLLECTING


async def test_a_stop_of_an_earlier_process_still_holds(tmp_path: Path) -> None:
    await halt(tmp_path).stop("main", RULES["captcha"])
    with pytest.raises(StoppedError, match="captcha"):
        await halt(tmp_path, ends=True).wait("main")


@pytest.mark.parametrize(
    ("reason", "code", "name"),
    [
        ("login_again", 4, "auth"),
        ("captcha", 5, "upstream"),
        ("no_client", 3, "config"),
        ("a reason of another version", 5, "upstream"),
    ],
)
async def test_where_a_stop_ends_the_process_its_reason_gives_the_exit_code(
    tmp_path: Path, reason: str, code: int, name: str
) -> None:
    write_stop(tmp_path, Stop(reason=reason, message="", advice="", since=1.0, account="main"))
    with pytest.raises(StoppedError) as stopped:
        await halt(tmp_path, ends=True).wait("main")
    assert (stopped.value.exit_code, stopped.value.code) == (code, name)


async def test_the_first_stop_of_any_account_of_a_process_ends_it(tmp_path: Path) -> None:
    await halt(tmp_path).stop("elsewhere", RULES["no_client"])
    await halt(tmp_path).stop("two", RULES["login_again"])
    await halt(tmp_path).stop("one", RULES["captcha"])
    ours = Halt(tmp_path, Status(), ends=True, accounts=("one", "two"))
    with pytest.raises(StoppedError, match="login_again"):
        await ours.wait("one")


async def test_a_stop_for_an_accounts_own_credentials_leaves_the_others_alone(
    tmp_path: Path,
) -> None:
    status = Status()
    held = halt(tmp_path, status)
    await held.stop("one", RULES["login_again"])

    assert held.stop_of("one") is not None
    assert held.stop_of("two") is None
    assert halt(tmp_path).stop_of("two") is None, "another process sees the same"
    assert [c.source for c in status.conditions] == ["stop:one"]
    assert status.current.is_about("one")
    assert not status.current.is_about("two")


async def test_every_other_stop_holds_for_everybody(tmp_path: Path) -> None:
    status = Status()
    held = halt(tmp_path, status)
    await held.stop("one", RULES["captcha"])

    assert held.stop_of("two") is not None
    assert status.current.is_about("two")


async def test_stops_do_not_hide_one_another_and_are_cleared_together(tmp_path: Path) -> None:
    held = halt(tmp_path)
    await held.stop("one", RULES["login_again"])
    await held.stop("two", RULES["captcha"])
    await held.stop("one", RULES["login_again"])

    stops = read_stops(tmp_path)
    assert [(stop.account, stop.reason) for stop in stops] == [
        ("one", "login_again"),
        ("two", "captcha"),
    ]
    assert read_stop(tmp_path) == stops[0]
    clear_stop(tmp_path)
    assert held.stop_of("one") is held.stop_of("two") is None


async def test_a_stop_that_cannot_be_read_holds_for_everybody_and_takes_another_in(
    tmp_path: Path,
) -> None:
    (tmp_path / STOP).write_bytes(b"\x00")
    held = halt(tmp_path)
    assert held.stop_of("anybody") is not None
    await held.stop("one", RULES["login_again"])

    assert [stop.reason for stop in read_stops(tmp_path)] == ["unreadable", "login_again"]


async def test_a_stop_written_by_another_process_is_told_though_nobody_asks(
    tmp_path: Path,
) -> None:
    status = Status()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(halt(tmp_path, status).watch)
            await halt(tmp_path).stop("main", RULES["banned"])
            while status.current.state is not State.STOPPED:
                await anyio.sleep(0.01)
            clear_stop(tmp_path)
            while status.current.state is State.STOPPED:
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()


async def test_a_stop_that_comes_while_a_request_waits_for_its_slot_stops_it(
    tmp_path: Path,
) -> None:
    held, spent = halt(tmp_path), []

    async def spend(name: str) -> None:
        spent.append(name)
        await halt(tmp_path).stop("other", RULES["captcha"])

    before = held.guarded("main", spend)
    for _ in range(2):
        with pytest.raises(StoppedError):
            await before("search")
    assert spent == ["search"], "once it holds, no slot is spent"


async def test_where_a_stop_cannot_be_written_nothing_is_asked_all_the_same(
    tmp_path: Path,
) -> None:
    (tmp_path / STOP).mkdir()
    (tmp_path / STOP / "x").touch()  # a folder that is not empty cannot be replaced by a file
    status = Status()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(halt(tmp_path, status).stop, "main", RULES["captcha"])
            while status.current.state is not State.STOPPED:
                await anyio.sleep(0.01)
            (tmp_path / STOP / "x").unlink()
            (tmp_path / STOP).rmdir()
    assert read_stop(tmp_path) is not None


async def test_a_run_that_ends_anyway_says_that_a_stop_could_not_be_written(
    tmp_path: Path,
) -> None:
    (tmp_path / STOP).mkdir()
    (tmp_path / STOP / "x").touch()
    with pytest.raises(StorageError):
        await halt(tmp_path, ends=True).stop("main", RULES["captcha"])
