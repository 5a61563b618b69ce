"""The simulator as a process: a folder that holds its world, a port, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson

from m26 import descriptors
from m26.errors import ConfigError, HomeLockedError
from m26.home.files import replace_private
from m26.home.lock import open_lock, take
from m26.httpserver import Bounds, Config, Server
from m26.sim import capture, constants
from m26.sim.accounts import Accounts, Lifetimes
from m26.sim.backend import Backend
from m26.sim.behaviour import Behaviour, variant
from m26.sim.cards import Deck
from m26.sim.clock import clock
from m26.sim.delivery import counted
from m26.sim.faults import Faults
from m26.sim.gateway import application
from m26.sim.ledger import Ledger
from m26.sim.market import Market
from m26.sim.tempo import Tempo

_TICK = 0.2
"""How often the market moves and is written down when nobody asks, seconds."""
_LOCK_PATIENCE = 5.0
"""How long a predecessor that is ending may still hold the folder, seconds."""
_KEEP_ALIVE = 300
"""A polite client pauses 22 s between requests: its connection has to outlast that."""
_WAITING = 256
"""Polite clients between two requests, and some who never ask."""
_DRAIN = 2
_DEFAULT_SEED = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a simulator is to be."""

    folder: Path
    port: int = 0
    seed: int | None = None
    """None: the folder's own, 26 for a new folder."""
    tempo: Tempo = field(default_factory=Tempo)
    behaviour: Behaviour = field(default_factory=lambda: variant("demo"))
    life: Lifetimes = field(default_factory=Lifetimes)
    accounts: Mapping[str, str] = field(default_factory=dict)
    """Account name → platform; none: the folder's, ``demo`` for a new folder."""
    with_parent: bool = False
    """End when the parent process ends, or closes the pipe that is our standard input."""
    clock: Path | None = None
    """File that tells the time, see `clock.clock`; none: the machine's clock does."""


def run(plan: Plan, ready: Callable[[str], None]) -> int:
    """Serve until a signal or the parent's end; the exit code.

    Args:
        plan: how.
        ready: told the URL once requests are taken.

    Raises:
        HomeLockedError: another simulator holds the folder.
        ConfigError: the folder has another seed or account, the port is taken, there is no clock
            file, or too few files may be open.
    """
    descriptors.raise_limit()
    parent = os.getppid() if plan.with_parent else None
    folder = plan.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        _files_for_the_owner_alone(),
        _locked(folder),
        _listening(plan.port) as sock,
        Ledger(folder / "ledger.db") as ledger,
    ):
        backend, first = _backend(plan, ledger)
        url = "http://{}:{}".format(*sock.getsockname())
        captures: dict[str, bytes] = {}
        with ledger.together():
            for account in backend.accounts.all.values():
                name = "capture.har" if account.name == first else f"capture-{account.name}.har"
                captures[name] = capture.har(backend, account, url)
        for name, data in captures.items():
            replace_private(folder / name, data)
        note = folder / "sim.json"

        def listening() -> None:
            started = datetime.now(UTC).isoformat(timespec="seconds")
            about = {"pid": os.getpid(), "url": url, "started_at": started}
            replace_private(note, orjson.dumps(about))
            ready(url)

        try:
            return asyncio.run(_serve(backend, sock, parent, listening))
        finally:
            with contextlib.suppress(OSError):  # what went wrong before is what is told
                note.unlink(missing_ok=True)


def _backend(plan: Plan, ledger: Ledger) -> tuple[Backend, str]:
    """The world in the folder, and the name of its first account."""
    seed = ledger.fact("seed", _DEFAULT_SEED if plan.seed is None else plan.seed)
    if plan.seed not in {None, seed}:
        raise ConfigError(
            f"{plan.folder} holds a market of seed {seed}, not {plan.seed}",
            hint="Leave out --seed, or name another --folder.",
        )
    own = constants.load()
    names = plan.accounts
    if not names and not ledger.rows("account"):
        names = {"demo": own.platforms[0]}
    time_of = clock(plan.clock)
    accounts = Accounts(ledger, names, plan.life, time_of)
    for name, platform in names.items():
        if accounts.all[name].platform != platform:
            raise ConfigError(
                f"account {name} of {plan.folder} is on {accounts.all[name].platform}",
                hint="Give the account another name.",
            )
    deck, now = Deck(seed), time_of()
    markets: dict[str, Market] = {}
    for platform in sorted({account.platform for account in accounts.all.values()}):
        markets[platform] = Market(
            platform, deck, ledger, plan.tempo, now=now, behaviour=plan.behaviour
        )
    backend = Backend(
        constants=own,
        ledger=ledger,
        accounts=accounts,
        markets=markets,
        faults=Faults(seed),
        clock=time_of,
    )
    return backend, next(iter(names or accounts.all))


async def _serve(
    backend: Backend, sock: socket.socket, parent: int | None, listening: Callable[[], None]
) -> int:
    most = descriptors.for_connections()
    config = Config(
        application(backend),
        bounds=Bounds(most=most, waiting=min(most, _WAITING), seconds=_KEEP_ALIVE),
        http=counted(lambda: backend.ledger.reserve("connection")),
        date_header=False,  # it would be the machine's time, not ours
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_DRAIN,
    )
    server = Server(config)
    exit_code = 0

    def stop(code: int) -> None:
        nonlocal exit_code
        exit_code, server.should_exit = code, True

    async def tick() -> None:
        while not server.should_exit:
            backend.advance()
            backend.ledger.flush()
            if parent is not None and os.getppid() != parent:
                stop(0)
            await asyncio.sleep(_TICK)

    def heard() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            stop(0)

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop, 128 + signal.SIGINT)
    loop.add_signal_handler(signal.SIGTERM, stop, 128 + signal.SIGTERM)
    if parent is not None and stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        loop.add_reader(sys.stdin.fileno(), heard)
    listening()
    async with asyncio.TaskGroup() as group:
        group.create_task(tick())
        await server.serve([sock])
    return exit_code


@contextlib.contextmanager
def _files_for_the_owner_alone() -> Iterator[None]:
    before = os.umask(0o077)  # SQLite makes its files by itself
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        descriptor = open_lock(folder / "lock")
    except OSError as error:
        raise ConfigError(
            f"cannot use the folder {folder}: {error.strerror}", hint="Name another --folder."
        ) from None
    try:
        patience = time.monotonic() + _LOCK_PATIENCE
        while not take(descriptor):
            if time.monotonic() > patience:
                raise HomeLockedError(
                    f"another simulator holds {folder}",
                    hint="Stop it, or name another --folder.",
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    # The protocol is named, or asyncio leaves Nagle's delay (40 ms a reply) on its connections.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on 127.0.0.1:{port}: {error.strerror}",
                hint="Give --port 0 to take a free one.",
            ) from None
        sock.listen(128)
        yield sock
