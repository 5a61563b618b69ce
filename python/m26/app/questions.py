"""Questions about markets: who answers them in a run, on connections of its own, and a command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from m26.app.accounts import chosen_profile
from m26.app.servers import Address, Patience, database
from m26.config import Loaded, Settings
from m26.embedded import postgres
from m26.errors import StorageError
from m26.store.database import connect
from m26.store.prices import Prices
from m26.upstream.profile import Profile
from m26.web.desk import MOST

_LIMIT = 10.0
"""Seconds after which the server ends a question: twice as long as the longest may take."""


@asynccontextmanager
async def answering(server: Address, name: str, patience: Patience) -> AsyncIterator[Prices]:
    """Who answers questions for the length of the block; storing never waits for them.

    Raises:
        StorageError: the database does not answer.
    """
    opened = await patience(partial(connect, server.url, name=name, limit=_LIMIT, most=MOST))
    try:
        yield Prices(opened)
    finally:
        opened.close()


@asynccontextmanager
async def prices_of(loaded: Loaded) -> AsyncIterator[tuple[Prices, Profile]]:
    """Who answers one command, and the profile; starts an embedded server if need be.

    An older run goes on: its database is not migrated for a question.

    Raises:
        StorageError: the database does not answer, or is of an older m26.
    """
    async with database(loaded) as store:
        applied = [each["applied_at"] is not None for each in await store.migration_status()]
        if not any(applied):
            await store.migrate()
        elif not all(applied):
            raise StorageError(
                "the database is of an m26 before this one",
                hint="Start `m26 run` anew: it migrates. `m26 db migrate` does, too, and an older "
                "run then stores no more.",
            )
        yield Prices(store), chosen_profile(loaded.settings)


def is_up(settings: Settings) -> bool:
    """Whether the database can be asked without starting a server."""
    return settings.postgres.dsn is not None or postgres.at(settings.home).is_up
