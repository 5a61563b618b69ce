"""m26 on a clock that others share: ``python -m tests.faults.scaled run|rebuild CLOCK``.

Settings come from the environment, as for ``m26`` itself. ``run`` ends on SIGTERM.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import anyio
from tests.support.worldclock import WorldClock

from m26 import log
from m26.app import upkeep
from m26.app.run import running
from m26.auth.vault import Vault
from m26.cli.output import dump_json
from m26.clock import Clock
from m26.config import Loaded, load


async def collect(loaded: Loaded, clock: Clock) -> None:
    """Collect until asked to end."""
    async with running(loaded, clock=clock) as run:
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                break
        await run.finish()


async def rebuild(loaded: Loaded, clock: Clock) -> None:
    """One rebuild that renews every account's tokens."""
    settings = loaded.settings
    vault = Vault.open(settings.home, settings.vault)
    done = await upkeep.rebuild_home(settings, vault, renew=True, clock=clock)
    items = [{"account": each.account, "tokens": each.tokens} for each in done.accounts]
    dump_json({"items": items})


if __name__ == "__main__":
    loaded = load()
    log.configure(level=loaded.settings.log.level, fmt=loaded.settings.log.format)
    job = {"run": collect, "rebuild": rebuild}[sys.argv[1]]
    anyio.run(job, loaded, WorldClock(Path(sys.argv[2])).clock(deadlines=4))
