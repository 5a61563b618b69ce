"""No free descriptor: what is refused for a while, and what was there before stays whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from tests.support.journals import make_page, open_journal, read_all
from tests.support.limits import free_descriptors

from m26.errors import OutageError, StorageError
from m26.home.files import write_private
from m26.limits.budget import Budget
from m26.limits.standing import Standing
from m26.store.database import connect
from m26.upstream.profile import BudgetLimits
from m26.upstream.rules import RULES
from m26.upstream.verdicts import Action

LIMITS = BudgetLimits(per_day=86_400, per_minute=600, burst=20)


@pytest.mark.parametrize("free", [0, 1])
def test_a_journal_that_cannot_open_a_segment_takes_the_same_page_later(
    tmp_path: Path, free: int
) -> None:
    journal = open_journal(tmp_path, segment_bytes=400)
    journal.append(make_page(0))
    with free_descriptors(free), pytest.raises(StorageError) as caught:
        journal.append(make_page(1))
    assert isinstance(caught.value, OutageError)
    assert "ulimit" in caught.value.hint
    assert journal.append(make_page(1)) == 1
    with free_descriptors(0), pytest.raises(StorageError) as caught:
        journal.read(0)
    assert isinstance(caught.value, OutageError)
    assert [record.page for record in read_all(journal)] == [make_page(0), make_page(1)]
    journal.close()
    assert [record.page for record in read_all(open_journal(tmp_path))] == [
        make_page(0),
        make_page(1),
    ]


@pytest.mark.parametrize("free", [0, 1])
def test_a_private_file_that_was_not_replaced_is_as_it_was(tmp_path: Path, free: int) -> None:
    path = tmp_path / "vault"
    write_private(path, b"old")
    with free_descriptors(free), pytest.raises(StorageError, match="Too many open files"):
        write_private(path, b"new")
    assert path.read_bytes() == b"old"


@pytest.mark.anyio
@pytest.mark.parametrize("free", [0, 1, 2])
async def test_a_request_waits_for_a_descriptor_to_be_written_down_and_counts_once(
    tmp_path: Path, free: int
) -> None:
    path = tmp_path / "budget" / "main.json"
    await Budget(path, LIMITS).spend("search")
    budget = Budget(path, LIMITS)
    ended = ""

    async def spend() -> None:
        nonlocal ended
        try:
            await budget.spend("login")
            ended = "spent"
        except StorageError as error:
            ended = error.message

    async with anyio.create_task_group() as group:
        with free_descriptors(free):
            group.start_soon(spend)
            await anyio.sleep(0.3)
            shown = budget.left
            assert ended == ""
        with anyio.fail_after(10):
            while not ended:
                await anyio.sleep(0.02)
    assert ended == "spent"
    assert shown["day"] > 86_000
    assert budget.left["day"] == LIMITS.per_day - 2
    assert len(budget.book.look().logins) == 1


@pytest.mark.anyio
async def test_a_pause_is_written_down_though_no_descriptor_was_free(tmp_path: Path) -> None:
    budget = Budget(tmp_path / "main.json", LIMITS)
    steps: list[Action | str] = []

    async def step() -> None:
        try:
            steps.append((await Standing(budget.book).step(RULES["rate_limited"])).action)
        except StorageError as error:
            steps.append(error.message)

    async with anyio.create_task_group() as group:
        with free_descriptors(0):
            group.start_soon(step)
            await anyio.sleep(0.3)
            assert steps == []
    assert steps == [Action.PAUSE]
    assert budget.paused is not None


@pytest.mark.anyio
@pytest.mark.parametrize("user", ["", "&user=m26"])
async def test_a_connection_to_postgresql_is_an_outage_while_no_descriptor_is_free(
    user: str,
) -> None:
    with free_descriptors(0), pytest.raises(Exception, match=r"\w") as caught:
        await connect(f"postgresql:///m26?host=/nowhere{user}")
    assert isinstance(caught.value, OutageError)


def test_the_soft_limit_becomes_the_hard_one_and_too_low_a_one_is_refused() -> None:
    code = (
        "import resource\n"
        "from m26 import descriptors\n"
        "for hard in (1000, 288, 287):\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))\n"
        "    try: descriptors.raise_limit(); print(descriptors.for_connections())\n"
        "    except Exception as error: print(type(error).__name__, error.message, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second, third = done.stdout.splitlines()
    assert (first, second) == ("744", "32")
    assert third.startswith("ConfigError this process may open 287 files")
    assert "ulimit -n" in third
