"""An exchange with a scripted session in place of the network: replies in, what was asked out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.virtual import Clock
from tests.support.wire import T0

from m26.collect.exchange import Answer, Exchange
from m26.collect.reaction import Reaction
from m26.home.stops import clear_stop
from m26.limits.book import Book
from m26.limits.halt import Halt, StoppedError
from m26.limits.standing import Standing
from m26.models import Account, Page
from m26.servertime import ServerTime, Told
from m26.status.conditions import Status
from m26.status.telemetry import Telemetry
from m26.upstream.profile import Profile
from m26.upstream.replies import Reply
from m26.upstream.verdicts import Verdict

COMMANDS = Profile.load("sim").commands


class ScriptEndedError(Exception):
    """The script has ended."""


def reply(
    content: bytes, *, status: int = 200, retry_after: float | None = None, date: int = 0
) -> Reply:
    return Reply(
        status=status,
        content_type="application/json",
        body=content,
        fetched_at=T0 * 1_000_000,
        seconds=0.1,
        date=date * 1_000_000,
        retry_after=retry_after,
    )


def blaze(name: str) -> Reply:
    return reply(b'{"error":{"component":1,"errorcode":1,"errorname":"%s"}}' % name.encode())


@dataclass
class Scripted:
    """A session that answers by a script and notes what is asked of it."""

    script: list[Any]
    notes: list[Any] = field(default_factory=list)
    ticket_id: str = "t0"
    renewals: list[Exception] = field(default_factory=list)
    """How the next renewals fail."""

    async def ready(self) -> None:
        pass

    async def request(
        self, command: str, payload: str, *, params: Mapping[str, str] | None = None
    ) -> Reply:
        self.notes.append(("request", dict(params or {})))
        if not self.script:
            raise ScriptEndedError
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def renew_session(self, *, dead: str) -> None:
        self.notes.append(("renew_session", dead))
        self._fail()
        self.ticket_id += "+"

    async def renew_tokens(self) -> None:
        self.notes.append(("renew_tokens",))
        self._fail()

    def _fail(self) -> None:
        if self.renewals:
            raise self.renewals.pop(0)

    async def judged(self, verdict: Verdict) -> None:
        self.notes.append(("judged", verdict.reason))


class Stops(Halt):
    """A halt whose operator resumes at once."""

    def __init__(self, home: Path, status: Status, notes: list[Any]) -> None:
        super().__init__(home, status, ends=False)
        self._home, self.notes, self.stops = home, notes, []

    async def stop(self, account: str, verdict: Verdict) -> None:
        await super().stop(account, verdict)
        self.notes.append(("stop",))
        self.stops.append(verdict.reason)

    async def wait(self, account: str) -> None:
        clear_stop(self._home)
        await super().wait(account)


@dataclass
class Bench:
    exchange: Exchange
    session: Scripted
    journal: list[Page]
    clock: Clock
    status: Status
    stops: list[str]
    slowed: list[float]
    standing: Standing


Make = Callable[..., Bench]


def benches(home: Path) -> Make:
    """One account; made again in the same test, it is the same one after a restart."""
    clock = Clock()

    def make(*script: Any) -> Bench:
        journal: list[Page] = []
        slowed: list[float] = []
        session, status = Scripted(list(script)), Status(clock=clock)
        telemetry = Telemetry(status)
        times = clock.clock()
        server = ServerTime(times)
        standing = Standing(Book(home / "main.json", clock=clock), clock=clock)
        halt = Stops(home, status, session.notes)

        async def keep(page: Page) -> None:
            session.notes.append(("journal", page.status))
            journal.append(page)

        async def receive(page: Page, told: Told) -> Page:
            session.notes.append(("journal", page.status))
            return server.keep(page, told, journal.append)

        async def room() -> None:
            session.notes.append(("room",))

        async def slot(_name: str) -> None:
            pass

        reaction = Reaction(
            account="main",
            session=session,
            standing=standing,
            halt=halt,
            slow_down=slowed.append,
            telemetry=telemetry,
            clock=times,
        )
        exchange = Exchange(
            account=Account("main", "ps5"),
            session=session,
            commands=COMMANDS,
            journal=keep,
            receive=receive,
            server=server,
            may_ask=room,
            slot=slot,
            reaction=reaction,
            telemetry=telemetry,
            clock=times,
        )
        return Bench(exchange, session, journal, clock, status, halt.stops, slowed, standing)

    return make


@dataclass(frozen=True)
class Asked(Answer):
    """An answer, and whether there was a pause or a stop before it came."""

    troubled: bool


async def ask(made: Bench) -> Asked:
    """Ask, whatever befalls it, until there is an answer, as the loop does."""
    troubled = False
    while True:
        troubled |= await made.exchange.ready()
        try:
            told = await made.exchange.ask("search", "{}", query="{}")
        except StoppedError:
            continue
        troubled |= await made.exchange.settle("search", told)
        if isinstance(told, Answer):
            return Asked(told.page, told.peek, troubled)


def kinds(made: Bench) -> list[str]:
    return [note[0] for note in made.session.notes if note[0] not in ("room", "judged")]
