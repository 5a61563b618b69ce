"""A STOP survives, blocks, and is lifted by the operator alone."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from m26.collect.halt import Halt
from m26.runfile import clear_stop, read_stop
from m26.status import State, Status
from m26.upstream.rules import RULES
from m26.upstream.verdicts import RefusedError

pytestmark = pytest.mark.anyio


async def test_a_stop_is_written_told_and_waited_out(tmp_path: Path) -> None:
    status = Status()
    halt = Halt(tmp_path, status, ends=False)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(halt.stop, "main", RULES["captcha"])
            while status.current.state is not State.STOPPED:
                await anyio.sleep(0.01)
            held = read_stop(tmp_path)
            assert held is not None
            assert (held.reason, held.account) == ("captcha", "main")
            assert "m26 resume" in status.current.advice
            clear_stop(tmp_path)
    assert status.current.state is State.COLLECTING


async def test_a_stop_of_an_earlier_process_still_holds(tmp_path: Path) -> None:
    with pytest.raises(RefusedError):
        await Halt(tmp_path, Status(), ends=True).stop("main", RULES["captcha"])
    with pytest.raises(RefusedError, match="captcha"):
        await Halt(tmp_path, Status(), ends=True).wait()


@pytest.mark.parametrize(("reason", "code"), [("login_again", 4), ("captcha", 5), ("no_client", 3)])
async def test_where_a_stop_ends_the_process_its_reason_gives_the_exit_code(
    tmp_path: Path, reason: str, code: int
) -> None:
    with pytest.raises(RefusedError) as refused:
        await Halt(tmp_path, Status(), ends=True).stop("main", RULES[reason])
    assert refused.value.exit_code == code
