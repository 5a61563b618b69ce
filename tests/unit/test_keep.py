"""Pages into the journal when there is room, and what happens when there is none."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from tests.support.journals import SmallDisk, make_page

from m26.collect.keep import Keeper
from m26.errors import StorageError
from m26.journal import Journal
from m26.journal.files import Files
from m26.status.conditions import State, Status
from m26.status.telemetry import Telemetry
from m26.wake import Wake

pytestmark = pytest.mark.anyio


class FailingSync(Files):
    """A disk whose fsync fails once it is told to."""

    fails = False

    def sync(self, fd: int) -> None:
        if self.fails:
            raise OSError(5, "Input/output error")
        super().sync(fd)


def keeper(journal: Journal, status: Status, wake: Wake, *, blocked: str = "") -> Keeper:
    telemetry = Telemetry(status)
    return Keeper(journal, blocked=lambda: blocked, wake=wake, telemetry=telemetry, poll=0.01)


def opened(folder: Path, files: Files, *, reserve: int = 0) -> Journal:
    return Journal.open(folder, keep_bytes=0, reserve_bytes=reserve, files=files)


async def test_a_page_is_on_disk_and_the_store_woken_when_keep_returns(tmp_path: Path) -> None:
    journal, wake = opened(tmp_path, Files()), Wake()
    await keeper(journal, Status(), wake).keep(make_page(1))

    assert [record.page for record in journal.read(0)] == [make_page(1)]
    with anyio.fail_after(1):
        await wake.wait(at_most=60)


async def test_a_full_disk_is_waited_out_with_the_page_in_hand(tmp_path: Path) -> None:
    disk = SmallDisk(10_000)
    journal, status = opened(tmp_path, disk), Status()
    kept = keeper(journal, status, Wake())
    await kept.keep(make_page(1))
    disk.room = 0
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(kept.keep, make_page(2))
            while status.current.state is not State.STORING_ONLY:
                await anyio.sleep(0.005)
            assert journal.next_pos == 1
            disk.room = 10_000
    assert [record.page for record in journal.read(0)] == [make_page(1), make_page(2)]
    assert status.current.state is State.COLLECTING


async def test_a_page_in_hand_is_kept_though_the_run_is_being_cancelled(tmp_path: Path) -> None:
    journal = opened(tmp_path, Files())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await keeper(journal, Status(), Wake()).keep(make_page(1))

    assert journal.next_pos == 1


async def test_a_full_disk_does_not_keep_a_run_from_ending(tmp_path: Path) -> None:
    disk = SmallDisk(500)
    journal = opened(tmp_path, disk)
    disk.room = 0
    with anyio.fail_after(10), anyio.move_on_after(0.1) as scope:
        await keeper(journal, Status(), Wake()).keep(make_page(1))

    assert scope.cancelled_caught


@pytest.mark.parametrize("blocked", ["", "schema: 42703"])
async def test_no_request_leaves_while_its_reply_could_not_be_kept(
    tmp_path: Path, blocked: str
) -> None:
    disk, status = SmallDisk(10_000), Status()
    journal = opened(tmp_path, disk, reserve=5_000)
    kept = keeper(journal, status, Wake(), blocked=blocked)
    if not blocked:
        disk.room = 4_000
    with anyio.move_on_after(0.1) as scope:
        await kept.room()

    assert scope.cancelled_caught
    assert status.current.state is State.STORING_ONLY
    assert status.current.advice


async def test_a_failed_fsync_ends_the_run_and_is_not_retried(tmp_path: Path) -> None:
    disk = FailingSync()
    journal = opened(tmp_path, disk)
    disk.fails = True
    with pytest.raises(StorageError):
        await keeper(journal, Status(), Wake()).keep(make_page(1))
    disk.fails = False
    with pytest.raises(StorageError):
        await keeper(journal, Status(), Wake()).room()
