"""What all tests share: one printed seed, their order, servers of a process, asyncio alone."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from tests.support import servers

from m26.embedded.postgres import Postgres
from m26.embedded.valkey import Valkey

# Workers of pytest-xdist are children: the environment hands them what the controller draws.
SEED = int(os.environ.setdefault("TEST_SEED", str(random.SystemRandom().randrange(2**32))))
_LONGEST_FIRST = ("faults", "e2e", "docs", "deploy", "service")
"""Folders whose files take long begin first, so that none of them is waited for at the end."""


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Everything random follows from the seed: values, order, and what Hypothesis tries."""
    config.option.randomly_seed = config.option.hypothesis_seed = SEED
    # A shell's background job ignores Ctrl-C, and so would all that tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header() -> str:
    return f"seed: {SEED} (repeat with TEST_SEED={SEED})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not terminalreporter.showheader:
        terminalreporter.write_line(pytest_report_header())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The order of pytest-randomly, with the folders of long tests before the others."""
    items.sort(key=lambda item: _rank(item.path.parent.name))


def _rank(folder: str) -> int:
    known = folder in _LONGEST_FIRST
    return _LONGEST_FIRST.index(folder) if known else len(_LONGEST_FIRST)


@pytest.fixture(scope="session")
def seed() -> int:
    """The one seed of this run; derive every random choice from it."""
    return SEED


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    """An event loop in a thread of its own, which outlives the loops of tests."""
    with start_blocking_portal("asyncio") as portal:
        yield portal


@pytest.fixture(scope="session")
def postgres(
    portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Postgres]:
    """The session's PostgreSQL; take `database` for a database of the test's own."""
    with servers.postgres_server(portal, tmp_path_factory.mktemp("servers")) as server:
        yield server


@pytest.fixture
def database(portal: BlockingPortal, postgres: Postgres) -> Iterator[str]:
    """DSN of an empty database that only this test uses."""
    with servers.fresh_database(portal, postgres) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def valkey(portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """The session's Valkey; take `redis_url` to find it empty."""
    with servers.valkey_server(portal, tmp_path_factory.mktemp("servers")) as server:
        yield server


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """URL of a Valkey that holds nothing."""
    servers.flush(valkey)
    return valkey.url
