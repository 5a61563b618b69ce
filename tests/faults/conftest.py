"""Fixtures of the fault tests: a simulator and servers for a module, a home for a test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from tests.faults.world import Server, World
from tests.oracle import reading
from tests.support import product, servers
from tests.support.simulator import Simulator, simulator

from m26.embedded import postgres, valkey
from m26.embedded.postgres import Postgres
from m26.embedded.valkey import Valkey


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory, seed: int) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("world") / "sim"
    market = ("--size", "250", "--speed", "1440", "--activity", "1.3", "--visible", "43200")
    with simulator(folder, "--seed", str(seed), *market) as running:
        yield running


@pytest.fixture(scope="module")
def own_postgres(
    portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server[Postgres]]:
    folder = tmp_path_factory.mktemp("postgres")
    server = Server(postgres.server(folder), lambda: servers.postgres_server(portal, folder))
    try:
        yield server
    finally:
        server.down()


@pytest.fixture(scope="module")
def own_valkey(
    portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server[Valkey]]:
    folder = tmp_path_factory.mktemp("valkey")
    server = Server(valkey.server(folder), lambda: servers.valkey_server(portal, folder))
    try:
        yield server
    finally:
        server.down()


@pytest.fixture
def world(
    tmp_path: Path,
    portal: BlockingPortal,
    sim: Simulator,
    own_postgres: Server[Postgres],
    own_valkey: Server[Valkey],
) -> Iterator[World]:
    since = reading.first_request(sim.folder / "ledger.db")
    database, cache = own_postgres.up(), own_valkey.up()
    servers.flush(cache)
    with (
        servers.fresh_database(portal, database) as dsn,
        product.client_of(sim, tmp_path / "home", postgres__dsn=dsn, redis__url=cache.url) as home,
    ):
        yield World(sim, own_postgres, own_valkey, home, since)
        own_postgres.up()  # the database is dropped now
