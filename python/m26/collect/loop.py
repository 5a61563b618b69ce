"""Exchanges in, requests out: the accounts of one platform ask what its one plan decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import anyio
import orjson
import structlog
from anyio.to_thread import run_sync

from m26.collect import outlook
from m26.collect.exchange import Answer, Exchange
from m26.collect.focus import Focus
from m26.collect.plan import Plan
from m26.collect.questions import Ask, News, Question, Row
from m26.collect.sweep import SEARCH, Sweeps, marker
from m26.limits.halt import StoppedError
from m26.normalizer import Normalizer
from m26.status.conditions import State
from m26.status.telemetry import Telemetry
from m26.status.views import MarketView
from m26.upstream.profile import Paging
from m26.upstream.verdicts import PASSING, Verdict

_log = structlog.get_logger()
_MICROS = 1_000_000
_DAY = 86_400 * _MICROS
_HELD = 3
"""Even intervals by which a plan may put off a request."""
_EMPTY_ALARM = 3


class Request(NamedTuple):
    """A question as it goes out."""

    command: str
    """Key of the profile's ``[commands]``."""
    payload: str
    params: Mapping[str, str] | None
    query: str
    """What is asked, for the journal."""


def request(ask: Ask, paging: Paging) -> Request:
    """What a plan asks, as this profile spells it."""
    if ask.search is None:
        payload = orjson.dumps({"auctionIdList": ask.ids}).decode()
        return Request("refresh", payload, None, payload)
    if paging.mode == "none":
        return Request("search", SEARCH, None, SEARCH)
    page = {"offset": ask.search[0], "count": paging.count}
    query = orjson.dumps({**orjson.loads(SEARCH), **page}).decode()
    if paging.mode == "payload":
        return Request("search", query, None, query)
    return Request("search", SEARCH, {name: str(value) for name, value in page.items()}, query)


@dataclass(slots=True, kw_only=True, eq=False)
class Market:
    """What the accounts of one platform share: its plan, and whose turn it is to ask."""

    platform: str
    plan: Plan
    per_day: int
    per_minute: int
    """Of all its accounts."""
    paging: Paging
    focus: Focus
    normalizer: Normalizer
    telemetry: Telemetry
    sweeps: Sweeps = field(init=False)
    view: MarketView = field(init=False)
    """As of the last reply: to look at it waits for nobody."""
    _turn: anyio.Lock = field(default_factory=anyio.Lock, init=False)
    _empty: int = field(default=0, init=False)
    """Front pages in a row without an auction."""
    _held: set[str] = field(init=False)
    """What is known of the upstream, by flag."""

    def __post_init__(self) -> None:
        self.plan.planner.set_focus(self.focus.weights)
        self._held = {flag for flag, *_ in self.plan.planner.evidence()}
        self.view = outlook.market(self.platform, self.plan.planner, now=0)
        self.sweeps = Sweeps(single=self.paging.mode == "none")

    async def refocus(self, weights: Mapping[str, Mapping[str, float]]) -> None:
        """Go by these weights from the next question on; what they give is kept for all to see.

        Raises:
            StorageError: it cannot be.
        """
        if weights == self.focus.given:
            return
        self.focus.turn_to(weights)
        await run_sync(self.plan.planner.set_focus, self.focus.weights)
        _log.info("plan.focus", platform=self.platform, weights=weights)
        async with self._turn:
            await run_sync(self.plan.save)

    async def collect(self, exchange: Exchange) -> None:
        """Ask for one account whenever it may; ends by cancellation, or by a STOP alone."""
        while True:
            troubled = await exchange.ready()
            async with self._turn:
                question = await self._choose(exchange)
                asked = request(question.ask, self.paging)
                told = await self._ask(exchange, question, asked)
            if told is not None:
                troubled |= await exchange.settle(asked.command, told)
            if troubled:
                self.sweeps.trouble()

    async def _choose(self, exchange: Exchange) -> Question:
        """The next question, at its time."""
        question = await run_sync(self.plan.next, _now(exchange))
        now = _now(exchange)  # it may have written a snapshot
        wait = question.at - now
        if wait > _HELD * _DAY // self.per_day:  # the server's clock went back: not our budget's
            self.plan.planner.resume(per_day=self.per_day, per_minute=self.per_minute, now=now)
        elif wait > 0:
            await exchange.clock.sleep(wait / _MICROS)
        return replace(question, at=_now(exchange))

    async def _ask(
        self, exchange: Exchange, question: Question, asked: Request
    ) -> Answer | Verdict | None:
        """Send it, and take in what comes; None: a STOP came before."""
        offset = None if question.ask.search is None else question.ask.search[0]
        sweep = 0 if offset is None else self.sweeps.asked(offset, _ours(exchange))
        await run_sync(self.plan.sent, question)
        try:
            told = await exchange.ask(
                asked.command,
                asked.payload,
                query=asked.query,
                params=asked.params,
                sweep=sweep,
            )
        except StoppedError:
            await run_sync(self.plan.unsent)
            return None
        self.telemetry.metrics.plan_requests.labels(question.why.replace(" ", "_")).inc()
        if isinstance(told, Answer):
            await self._learn(told)
            if offset is not None:
                await self._passed(exchange, offset, told)
        elif told.reason == PASSING:
            await self._told(_now(exchange), failed=True)
        else:  # of the account, or of the way there: it says nothing of the question
            await run_sync(self.plan.unsent)
        await run_sync(self._show, question)
        return told

    def _show(self, question: Question) -> None:
        last = question.ask, question.why
        planner = self.plan.planner
        try:
            self.view = outlook.market(self.platform, planner, now=question.at, last=last)
        except RuntimeError as error:  # a fault of the planner; what it says next will tell
            _log.error("plan.not_shown", platform=self.platform, reason=str(error))
            return
        if (ratio := self.view["coverage"]["ratio"]) is not None:
            self.telemetry.metrics.coverage.labels(self.platform).set(ratio)

    async def _learn(self, answer: Answer) -> None:
        page = answer.page
        batch = await self.normalizer.normalize([page])
        if self.focus.learn(batch.card_rows()):
            self.plan.planner.set_focus(self.focus.weights)
        self.normalizer.confirm(batch)  # a card is learned once
        if any(reject[1] is None for reject in batch.rejects):  # the page as a whole
            await run_sync(self.plan.unsent)
            return
        at, truncated = page.served_at or page.fetched_at, bool(answer.peek.truncated)
        await self._told(at, truncated=truncated, rows=batch.shown())

    async def _told(
        self, at: int, *, failed: bool = False, truncated: bool = False, rows: Sequence[Row] = ()
    ) -> None:
        take = partial(self.plan.reply, at, failed=failed, truncated=truncated, rows=rows)
        self._tell(await run_sync(take))

    def _tell(self, news: News) -> None:
        metrics = self.telemetry.metrics
        for flag, value, why in news.notices:
            say = _log.warning if flag in self._held else _log.info  # learned, that is no surprise
            say("upstream.changed", platform=self.platform, flag=flag, value=value, reason=why)
            self._held.add(flag)
            metrics.upstream_changes.labels(flag).inc()

    async def _passed(self, exchange: Exchange, offset: int, answer: Answer) -> None:
        """Close the sweep that ends with this page, and tell of an empty market."""
        facts = self.sweeps.answered(offset, answer, _ours(exchange))
        if facts is not None:
            await exchange.journal(marker(exchange.account, facts))
        if offset:
            return
        self._empty = 0 if answer.peek.count else self._empty + 1
        report, source = self.telemetry.status.report, f"market:{self.platform}"
        if self._empty == 0:
            report(source, State.COLLECTING)
        elif self._empty >= _EMPTY_ALARM:
            report(
                source,
                State.COLLECTING,
                reason=f"market_empty: {_EMPTY_ALARM} looks in a row found no auction",
                advice="Is this the right platform and year? `m26 auth status` and M26_PROFILE.",
            )


def _ours(exchange: Exchange) -> int:
    return int(exchange.clock.time() * _MICROS)


def _now(exchange: Exchange) -> int:
    """Server time, µs."""
    return _ours(exchange) + round(exchange.server.skew * _MICROS)
