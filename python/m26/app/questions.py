"""Questions about markets: who answers them in a run, on connections of its own, and a command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from m26.app.accounts import chosen_profile
from m26.app.servers import Address, Patience, database
from m26.config import Loaded, Settings
from m26.embedded import postgres
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

    Raises:
        StorageError: the database does not answer.
    """
    async with database(loaded) as store:
        await store.migrate()
        yield Prices(store), chosen_profile(loaded.settings)


def is_up(settings: Settings) -> bool:
    """Whether the database can be asked without starting a server."""
    return settings.postgres.dsn is not None or postgres.at(settings.home).is_up
