"""Auth: what a request pays for its signature and strategy, with the network left out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from anyio.from_thread import BlockingPortal
from benches import figures
from benches.figures import Figure, quantile
from pytest_benchmark.fixture import BenchmarkFixture
from tests.gateway import NOW, bundle, credentials, desk, stored, ticket

from m26.auth.signer import Signer
from m26.upstream.profile import Profile

PAYLOAD = '{"filters":[],"itemName":""}'
BUNDLES = 50


async def each(call: Callable[[], Awaitable[object]], times: int) -> list[float]:
    """Milliseconds of each call."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        await call()
        taken.append(1e3 * (time.perf_counter() - started))
    return taken


def signer(home: Path, profile: str, *, bundles: int) -> Signer:
    held = credentials(bundles=tuple(bundle(n) for n in range(bundles)))
    vault = stored(home, held)
    signing = Profile.load(profile)
    return Signer(account="main", vault=vault, profile=signing, held=held, clock=lambda: NOW)


def test_auth_overhead_of_a_request(
    benchmark: BenchmarkFixture, portal: BlockingPortal, tmp_path: Path, smoke: bool
) -> None:
    times = 500 if smoke else 5_000
    signing = signer(tmp_path / "signed", "sim", bundles=0)
    picking = signer(tmp_path / "pool", "madden26", bundles=BUNDLES)
    session = desk(tmp_path / "whole").session

    async def measure() -> list[list[float]]:
        calls = [
            partial(signing.sign, ticket()),
            partial(picking.sign, ticket()),
            partial(session.request, "search", PAYLOAD),
        ]
        return [await each(call, times) for call in calls]

    signed, picked, whole = benchmark.pedantic(portal.call, args=(measure,), rounds=1)
    figures.note(
        benchmark,
        title="Auth overhead of a request",
        note=f"{times} requests each, no network. Every 256th signed one reserves numbers in the "
        "vault, which waits for the disk. The whole request also builds headers and body and "
        "passes the HTTP client, over a transport in memory.",
        figures=[
            Figure("strategy and signature, median", quantile(signed, 0.5), "ms"),
            Figure("strategy and signature, p99", quantile(signed, 0.99), "ms", at_most=1),
            Figure("strategy and signature, longest", max(signed), "ms", at_most=100),
            Figure(
                f"strategy and pick of {BUNDLES} bundles, p99",
                quantile(picked, 0.99),
                "ms",
                at_most=1,
            ),
            Figure("whole request, p99", quantile(whole, 0.99), "ms", at_most=100),
        ],
    )
    assert len(signed) == len(picked) == len(whole) == times
