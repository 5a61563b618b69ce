from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from tests.support.gateway import NOW, PAYLOAD, desk, ticket

pytestmark = pytest.mark.anyio


async def test_a_request_behind_a_login_takes_the_new_session(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    dead, started, go = at.session.ticket_id, anyio.Event(), anyio.Event()

    async def spend(name: str) -> None:
        if name == "login":
            started.set()
            await go.wait()

    at.session._spend = spend
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: at.session.renew_session(dead=dead))
        await started.wait()
        for _ in range(3):
            group.start_soon(at.session.request, "search", PAYLOAD)
        await anyio.wait_all_tasks_blocked()
        assert at.upstream.calls() == ["process"]
        go.set()
    keys = [r.url.raw_path.decode() for kind, r in at.upstream.asked if kind == "process"]
    assert ["SESSION%2B2" in key for key in keys] == [False, True, True, True]
    assert at.upstream.calls().count("login") == 1


async def test_no_request_with_the_dead_key_waits_behind_the_login_on_the_wire(
    tmp_path: Path,
) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    dead = at.session.ticket_id
    async with anyio.create_task_group() as group:
        # The hook runs while the login is on the wire: whoever asks now queues behind it.
        at.upstream.hook = lambda kind: (
            group.start_soon(at.session.request, "search", PAYLOAD) if kind == "login" else None
        )
        await at.session.renew_session(dead=dead)
    assert "SESSION%2B2" in at.upstream.asked[-1][1].url.raw_path.decode()
    assert at.upstream.calls() == ["process", "login", "process"]


async def test_an_account_in_the_middle_of_its_login_keeps_no_other_waiting(
    tmp_path: Path,
) -> None:
    one, other = desk(tmp_path), desk(tmp_path, account="other")
    answered = anyio.Event()
    one.upstream.hook = lambda kind: answered.wait() if kind == "login" else None
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: one.session.renew_session(dead=""))
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(5):
            await other.ask()
            await other.session.renew_tokens()
            await other.ask()
        assert one.upstream.calls() == []
        answered.set()


async def test_a_session_that_another_process_opens_is_taken_over_at_once(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await at.session.request("search", PAYLOAD)
    at.vault.change("main", lambda held: replace(held, ticket=ticket(9, at=NOW + 1)))
    await at.session.request("search", PAYLOAD)
    assert at.session.ticket_id == ticket(9).id
    assert "login" not in at.spent
    at.vault.change("main", lambda held: replace(held, ticket=ticket(8, at=NOW - 1)))
    at.vault.change("main", lambda held: replace(held, ticket=ticket(1)))  # the dead one again
    await at.session.request("search", PAYLOAD)
    assert at.session.ticket_id == ticket(9).id
