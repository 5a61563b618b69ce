"""Homes under every trial keep all that was served, in the order served; what cannot be is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from tests.faults.stage import ACCOUNTS, Stage, Upstream
from tests.faults.trials import TRIALS, Trial
from tests.faults.world import Server
from tests.support import servers
from tests.support.simulator import simulator

from m26.embedded.postgres import Postgres
from m26.embedded.valkey import Valkey
from m26.store.database import opened

_MARKET = ("--size", "250", "--speed", "1440", "--activity", "1.3", "--visible", "43200")
_ROUNDS = int(os.environ.get("TRIAL_ROUNDS", "16"))
"""Rounds, and so kills, of a long trial."""
_ROWS = [
    *(pytest.param(each, 1, id=each.name) for each in TRIALS if each.short),
    *(pytest.param(each, _ROUNDS, id=f"{each.name}-long", marks=pytest.mark.soak)
      for each in TRIALS),
]  # fmt: skip


@contextmanager
def _upstream(folder: Path, seed: int) -> Iterator[Upstream]:
    accounts = [part for name in ACCOUNTS for part in ("--account", f"{name}:sim")]
    with simulator(folder / "sim", "--seed", str(seed), *_MARKET, *accounts) as sim:
        yield Upstream(sim, folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, seed: int) -> Iterator[Upstream]:
    with _upstream(tmp_path_factory.mktemp("upstream"), seed) as made:
        yield made


@pytest.fixture(scope="module")
def migrated(portal: BlockingPortal, own_postgres: Server[Postgres]) -> Iterator[str]:
    """Name of a database with the schema and nothing else."""

    async def migrate(dsn: str) -> None:
        async with opened(dsn) as store:
            await store.migrate()

    with servers.fresh_database(portal, own_postgres.up()) as dsn:
        portal.call(migrate, dsn)
        yield dsn.partition("?")[0].rpartition("/")[2]


@pytest.fixture
def upstream(request: pytest.FixtureRequest, tmp_path: Path, seed: int) -> Iterator[Upstream]:
    """The module's; a long trial has its own, whose ledger is read in reasonable time."""
    if request.node.get_closest_marker("soak") is None:
        yield request.getfixturevalue("shared")
        return
    with _upstream(tmp_path / "upstream", seed) as made:
        yield made


@pytest.fixture
def stage(
    tmp_path: Path,
    portal: BlockingPortal,
    upstream: Upstream,
    own_postgres: Server[Postgres],
    own_valkey: Server[Valkey],
    migrated: str,
    seed: int,
) -> Iterator[Stage]:
    servers.flush(own_valkey.up())
    with servers.fresh_database(portal, own_postgres.up(), template=migrated) as dsn:
        made = Stage(
            upstream=upstream,
            portal=portal,
            postgres=own_postgres,
            valkey=own_valkey,
            database=dsn.partition("?")[0].rpartition("/")[2],
            folder=tmp_path,
            seed=seed,
        )
        try:
            yield made
        finally:
            made.close()


@pytest.mark.parametrize(("trial", "rounds"), _ROWS)
def test_what_was_served_is_kept_in_the_order_served(
    stage: Stage, trial: Trial, rounds: int
) -> None:
    if not trial.short or rounds > 1:  # a request that was refused costs a minute or more
        stage.longest, stage.cut_off, stage.patience = 2.0, [60.0][: rounds - 1], 200
    for number, account in enumerate(ACCOUNTS[: trial.homes], 1):
        stage.join(stage.upstream.imported(account), far=trial.far and number == trial.homes)
    trial.before(stage)
    stage.begin()
    for _ in range(rounds):
        trial.act(stage)
    stage.finish()
    stage.hold(dated=trial.dated)
