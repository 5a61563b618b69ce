"""Auth: what a request pays for its signature and strategy, with the network left out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio
from anyio.from_thread import BlockingPortal
from benches import figures
from benches.figures import Figure, quantile
from pytest_benchmark.fixture import BenchmarkFixture
from tests.support.gateway import NOW, PAYLOAD, Desk, bundle, credentials, desk, stored, ticket

from m26.auth.credentials import Use
from m26.auth.entry import Entry
from m26.auth.signer import Signer, ignore
from m26.upstream.profile import Profile
from m26.upstream.rules import RULES

BUNDLES = 100
SEARCH = "Mobile_SearchAuctions"
_ANSWER = 0.05
"""Seconds until a login is answered."""


async def each(call: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Milliseconds of each call."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await call()
        taken.append(1e3 * (time.perf_counter() - started))
    return taken


def signer(home: Path, profile: str, *, bundles: int) -> Signer:
    used = {SEARCH: Use(accepted=9, accepted_at=NOW), "Mobile_GetAuctionBids": Use()}
    held = credentials(bundles=tuple(bundle(n, uses=used) for n in range(bundles)))
    entry = Entry(stored(home, held), "main", clock=lambda: NOW)
    signing = Profile.load(profile)
    return Signer(entry=entry, profile=signing, clock=lambda: NOW, on_strategy=ignore)


bar = partial(Figure, unit="ms", id="P4", against="a request of no cost")


def test_auth_overhead_of_a_request(
    benchmark: BenchmarkFixture, portal: BlockingPortal, tmp_path: Path, smoke: bool
) -> None:
    times = 500 if smoke else 5_000
    signing = signer(tmp_path / "signed", "sim", bundles=0)
    picking = signer(tmp_path / "pool", "madden26", bundles=BUNDLES)
    mine = desk(tmp_path / "home")
    other = desk(tmp_path / "home", account="other")

    async def measure() -> list[list[float]]:
        calls = [
            partial(signing.sign, ticket(), command=SEARCH),
            partial(picking.sign, ticket(), command=SEARCH),
            partial(ask, mine),
        ]
        alone = [await each(call, times) for call in calls]
        return [*alone, await beside_renewals(mine, other, times)]

    taken = benchmark.pedantic(portal.call, args=(measure,), rounds=1)
    signed, picked, whole, beside = taken
    figures.note(
        benchmark,
        title="Auth overhead of a request",
        note=f"{times} requests each, no network. Every 256th signed one reserves numbers in the "
        "vault, which waits for the disk. The whole request also looks at the vault's file, builds "
        "headers and body, passes the HTTP client over a transport in memory, and counts the use. "
        "Beside a renewal: another account of the same vault waits for a login's answer or saves "
        "the session that it got, all the time, and the vault's file is read again after each.",
        figures=[
            Figure("strategy and signature, median", quantile(signed, 0.5), "ms"),
            bar("strategy and signature, p99", quantile(signed, 0.99), at_most=1),
            Figure("strategy and signature, longest", max(signed), "ms", at_most=100),
            bar(f"strategy and pick of {BUNDLES} bundles, p99", quantile(picked, 0.99), at_most=1),
            bar("auth of a whole request, p99", quantile(whole, 0.99), at_most=100),
            bar(
                "auth of a whole request beside a renewal of another account, p99",
                quantile(beside, 0.99),
                at_most=100,
            ),
        ],
    )
    assert all(len(times_of) == times for times_of in taken)


async def ask(at: Desk) -> None:
    """One request with all that auth does for it, its outcome included."""
    await at.session.request("search", PAYLOAD)
    await at.session.judged(RULES["ok"])


async def beside_renewals(mine: Desk, other: Desk, times: int) -> list[float]:
    """Requests of one account, while another one is in the middle of a login all the time."""
    other.upstream.hook = lambda _: anyio.sleep(_ANSWER)

    async def log_in() -> None:
        while True:
            await other.session.renew_session(dead=other.session.ticket_id)
            other.now[0] += 1

    async with anyio.create_task_group() as group:
        group.start_soon(log_in)
        taken = await each(partial(ask, mine), times)
        group.cancel_scope.cancel()
    assert other.upstream.calls().count("login") > 1
    return taken
