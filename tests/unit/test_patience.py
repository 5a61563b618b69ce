"""How long a server may be away while a run starts."""

from __future__ import annotations

import anyio
import pytest

from m26.app.servers import Patience
from m26.errors import OutageError, StorageError


class Server:
    """Fails in turn, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)

    async def ask(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "18.6"


@pytest.mark.anyio
async def test_what_may_pass_is_waited_for() -> None:
    away = OutageError("PostgreSQL does not answer: 57P03: the database system is starting up")
    assert await Patience(seconds=30, pause=0)(Server(away, away).ask) == "18.6"


@pytest.mark.anyio
async def test_what_no_patience_mends_is_told_at_once() -> None:
    wrong = StorageError("cannot connect to PostgreSQL: 28P01: password authentication failed")
    server = Server(wrong, wrong)
    with pytest.raises(StorageError, match="28P01"):
        await Patience(seconds=30, pause=0)(server.ask)
    assert len(server.failures) == 1


@pytest.mark.anyio
async def test_patience_is_one_for_all_that_a_start_asks() -> None:
    patience, away = Patience(seconds=0.05, pause=0), OutageError("away")
    assert await patience(Server(away).ask) == "18.6"
    await anyio.sleep(0.05)
    with pytest.raises(OutageError):
        await patience(Server(away).ask)
