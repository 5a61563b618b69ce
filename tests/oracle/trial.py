"""After a run: everything that m26 left behind in, O2, O7 and O8 out, printed with their counts."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from pathlib import Path

from tests.oracle import leaks, reading
from tests.oracle.reading import History
from tests.oracle.verdict import Verdict, judge_history, judge_stream
from tests.support.product import Home

from m26.embedded import postgres, valkey


def hold(ledger: Path, home: Home, *, since: int = 0) -> History:
    """Judge what m26 has made of a simulator's replies; fails where an oracle does.

    Args:
        ledger: of the simulator.
        home: of m26, which does not run any more.
        since: number of the simulator's first request that concerns this home.
    """
    history, held = asyncio.run(stores(home))
    printed = home.path.parent.glob(f"{home.path.name}.*")
    places = chain(
        held.items(),
        leaks.files(home.path, but=("sim", "profile.toml")),  # the operator's own
        ((path.name, path.read_bytes()) for path in printed),
    )
    require(
        judge_history(reading.observations(ledger, since=since), history, inferred=True),
        judge_stream(history),
        leaks.judge_leaks(leaks.secrets(ledger), places),
    )
    return history


def require(*verdicts: Verdict) -> None:
    """Say what the oracles found; fail when one of them found anything."""
    for verdict in verdicts:
        say(str(verdict))
    assert all(verdicts), "\n".join(map(str, verdicts))


def say(line: str) -> None:
    """A line of the test's own figures, shown by ``pytest -s`` and when it fails."""
    sys.stdout.write(f"\n{line}")


@asynccontextmanager
async def servers(home: Home) -> AsyncIterator[tuple[str, str]]:
    """DSN and URL of a home's servers: the given ones, or its own, started if need be."""
    dsn, url = (str(home.settings.get(key, "")) for key in ("postgres.dsn", "redis.url"))
    async with AsyncExitStack() as stack:
        if not dsn:
            dsn = (await stack.enter_async_context(postgres.running(home.path))).dsn
        if not url:
            url = (await stack.enter_async_context(valkey.running(home.path))).url
        yield dsn, url


async def stores(home: Home) -> tuple[History, dict[str, bytes]]:
    """What m26 stored and published, and everything else that its two servers hold."""
    async with servers(home) as (dsn, url):
        history = await reading.history(dsn, url)
        return history, {**await leaks.dump(dsn), **leaks.everything(url)}
