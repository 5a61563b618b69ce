"""A connection that is lost while the driver waits for room to send more of a COPY."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import wire
from tests.support.captures import reply
from tests.support.proxy import Faults, Proxy

from m26.embedded.postgres import Postgres
from m26.normalizer import Normalizer
from m26.store.connection import OUTAGES
from m26.store.database import opened
from m26.store.load import Loader
from m26.upstream.profile import Profile

pytestmark = pytest.mark.anyio
_COPY = b'COPY "m26"."auction_event"'


async def test_it_is_noticed_at_once_and_the_next_attempt_stores_all(
    tmp_path: Path, postgres: Postgres, database: str, seed: int
) -> None:
    name, target = ".s.PGSQL.5432", postgres.socket_folder
    pages = [reply(seed + n, auctions=100, first_id=1 + 100 * n) for n in range(40)]
    records = wire.records(*pages, platform="sim")
    faults = Faults(seed)
    async with (
        Proxy(tmp_path / name, target / name, faults),
        opened(database.replace(str(target), str(tmp_path))) as store,
    ):
        await store.migrate()
        loader = Loader(store, Normalizer(Profile.load("sim").card))
        faults.block_at = _COPY
        with pytest.raises(OUTAGES) as lost:
            await loader.store("journal", records)
        assert not isinstance(lost.value, TimeoutError), "nobody noticed before the deadline"
        assert await store.head() == 0
        faults.none()
        stored = await loader.store("journal", records)
        assert stored.new == stored.seq == 4000
