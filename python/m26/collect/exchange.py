"""One request carried to its end: a slot awaited, then sent, journaled and judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog
from anyio.to_thread import run_sync

from m26 import _native
from m26._native import Peek
from m26.clock import Clock
from m26.collect.reaction import Reaction, Session
from m26.errors import TransportError
from m26.limits.halt import StoppedError
from m26.models import BROKEN, Account, Page
from m26.servertime import ServerTime, Told
from m26.status.conditions import State
from m26.status.metrics import LOGIN
from m26.status.telemetry import Telemetry
from m26.upstream.profile import Command
from m26.upstream.replies import Reply, classify, classify_transport
from m26.upstream.verdicts import (
    Action,
    BrokenTransferError,
    RefusedError,
    UnavailableError,
    Verdict,
)

_log = structlog.get_logger()
_SKEW = 30.0
"""Seconds by which our clock may be wrong without a word."""
_SKEWED = "Correct this machine's clock, e.g. by NTP. Until then the server's time is used."
_FAR = "clock_odd: a reply's responseTime is none, or far from what others say"
_ODD = "Nothing to do: our receive time is used, corrected by what the replies before told."


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that is data: its page, already durable, and what its envelope says."""

    page: Page
    peek: Peek


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Requests of one account, one in flight at a time."""

    account: Account
    session: Session
    commands: Mapping[str, Command]
    """The profile's: key to wire name."""
    journal: Callable[[Page], Awaitable[Any]]
    """Makes a page durable; returns when it is. A shutdown does not keep it from trying once."""
    receive: Callable[[Page, Told], Awaitable[Page]]
    """The same for a reply: gives it its times, too."""
    server: ServerTime
    """What is believed of the server's clock."""
    may_ask: Callable[[], Awaitable[None]]
    """Returns when received data can be kept; waits while the disk is full or the like."""
    slot: Callable[[str], Awaitable[None]]
    """Returns when the account's budget would let a request leave; uses nothing of it."""
    reaction: Reaction
    telemetry: Telemetry
    clock: Clock = field(default_factory=Clock)
    hosts: Collection[str] = ()
    """The profile's."""
    _wrong: str = field(default="", init=False)
    """Whose clock was found to be wrong, and how, as it was told."""

    async def ready(self) -> bool:
        """Return when a request may leave now: what it is, should be decided then, not before.

        Returns:
            Whether there was a pause or a stop.

        Raises:
            StoppedError: a STOP holds and ends this process.
        """
        troubled = False
        while True:
            troubled |= await self.reaction.clear()
            await self.may_ask()
            try:
                await self.session.ready()
                await self.slot("")
            except StoppedError:  # it came while the slot was waited for
                continue
            except TransportError as error:
                verdict = classify_transport(error)
            except (RefusedError, UnavailableError) as error:
                verdict = error.verdict
            else:
                return troubled
            self.telemetry.metrics.count_request(LOGIN, verdict.reason)
            troubled |= await self.reaction.to(verdict)

    async def ask(
        self,
        command: str,
        payload: str,
        *,
        query: str,
        params: Mapping[str, str] | None = None,
        sweep: int = 0,
    ) -> Answer | Verdict:
        """Ask once; the reply is journaled, whatever it is. What follows is up to `settle`.

        Args:
            command: key of the profile's ``[commands]``.
            payload: request payload, JSON text.
            query: what was asked, for the journal: payload with paging, JSON text.
            params: URL parameters.
            sweep: start of the sweep that this belongs to, microseconds; 0 for none.

        Returns:
            The answer, or why there is none that is data.

        Raises:
            StoppedError: a STOP came before it was sent.
        """
        wire = self.commands[command].name
        try:
            reply = await self.session.request(command, payload, params=params)
        except StoppedError:
            raise
        except TransportError as error:
            verdict = classify_transport(error)
            if verdict.quarantine:
                await self.journal(self._broken(error, verdict))
            return verdict
        except (RefusedError, UnavailableError) as error:
            return error.verdict
        peek = await run_sync(_native.peek, reply.body)
        page = await self.receive(self._page(wire, reply, query, sweep), Told.by(peek, reply.date))
        head = reply.head._replace(served_at=page.served_at)
        verdict = classify(head, peek, hosts=self.hosts)
        self._observe(reply, page, peek.response_time)
        await self.session.judged(verdict)
        return Answer(page, peek) if verdict.action is Action.OK else verdict

    async def settle(self, command: str, told: Answer | Verdict) -> bool:
        """Count what came of a request, and do what the failure table says.

        Returns:
            Whether there was a pause or a stop.

        Raises:
            StoppedError: it is a STOP, and it ends this process.
        """
        wire, count = self.commands[command].name, self.telemetry.metrics.count_request
        if isinstance(told, Answer):
            count(wire, "ok")
            await self.reaction.succeeded()
            return False
        count(wire, told.reason)
        return await self.reaction.to(told)

    def _page(self, command: str, reply: Reply, query: str, sweep: int) -> Page:
        return Page(
            account=self.account.name,
            platform=self.account.platform,
            command=command,
            query=query,
            status=reply.status,
            content_type=reply.content_type,
            fetched_at=reply.fetched_at,
            body=reply.body,
            sweep=sweep,
        )

    def _broken(self, error: TransportError, verdict: Verdict) -> Page:
        why = {"reason": verdict.reason, "message": verdict.message}
        return Page(
            account=self.account.name,
            platform=self.account.platform,
            command=BROKEN,
            query=orjson.dumps(why).decode(),
            status=0,
            content_type="application/octet-stream",
            fetched_at=int(self.clock.time() * 1e6),
            body=error.part if isinstance(error, BrokenTransferError) else b"",
        )

    def _observe(self, reply: Reply, page: Page, said: int | None) -> None:
        """Tell how long it took, and whose clock is wrong if one is."""
        status, metrics, skew = self.telemetry.status, self.telemetry.metrics, self.server.skew
        metrics.request_seconds.observe(reply.seconds)
        metrics.clock_skew.set(skew)
        if not page.served_at:
            return  # there was nothing to date
        if said != page.served_at:
            wrong, advice = _FAR, _ODD
        elif abs(skew) > _SKEW:
            side = "behind" if skew > 0 else "ahead of"
            wrong = f"clock_skew: our clock is over {_SKEW:.0f} s {side} the server's"
            advice = _SKEWED
        else:
            wrong = advice = ""
        if wrong == self._wrong:
            return
        self._wrong = wrong
        if wrong:
            off = skew if said is None or advice is not _ODD else (said - page.served_at) / 1e6
            _log.warning("clock.skewed", reason=wrong, seconds=round(off, 1), advice=advice)
        status.report("clock", State.COLLECTING, reason=wrong, advice=advice)
