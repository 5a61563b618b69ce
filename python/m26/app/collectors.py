"""One account's part of a run: its connection, session, budget and exchange, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import structlog
from anyio.to_thread import run_sync

from m26.app.accounts import Assignment, budget_limits
from m26.app.outgoing import budget_of, gateway, written_down
from m26.app.process import Process, beside
from m26.auth.cache import TicketCache
from m26.auth.entry import Entry
from m26.auth.session import Session
from m26.auth.vault import Vault
from m26.clock import Clock, iso
from m26.collect.exchange import Exchange
from m26.collect.focus import Focus
from m26.collect.keep import Keeper
from m26.collect.loop import Market
from m26.collect.plan import PLANS, Plan
from m26.collect.questions import FLAGS, REASONS
from m26.collect.reaction import Reaction
from m26.config import load
from m26.errors import ConfigError
from m26.limits.budget import Budget
from m26.limits.halt import Halt
from m26.limits.standing import Standing
from m26.models import Account
from m26.normalizer import Normalizer
from m26.status.conditions import State, Status
from m26.status.metrics import LOGIN, Metrics, begin
from m26.status.views import AccountView
from m26.upstream.client import GatewayClient
from m26.upstream.rules import RULES

_log = structlog.get_logger()
_LOOK_AT_FOCUS = 20.0
"""Seconds, the machine's: it is a person who changes it."""


@dataclass(frozen=True, slots=True)
class Collector:
    """One account's part of a run."""

    account: Account
    exchange: Exchange
    session: Session
    budget: Budget
    market: Market

    @property
    def auth_left(self) -> dict[str, float]:
        """Seconds of life left in each credential, as far as anyone knows it."""
        left = self.session.seconds_left()
        return {what: max(0.0, seconds) for what, seconds in left.items() if seconds is not None}

    def view(self, status: Status) -> AccountView:
        """How it is, for the operator."""
        condition, outlook = status.about(self.account.name), self.budget.outlook()
        return AccountView(
            name=self.account.name,
            platform=self.account.platform,
            state=condition.state,
            reason=condition.reason,
            strategy=self.session.strategy,
            budget=dict(outlook.left),
            next_request_at=iso(outlook.next_at),
            refills_at={window: iso(at) for window, at in outlook.refills_at.items()},
            auth_seconds_left=self.auth_left,
        )


@asynccontextmanager
async def collecting(
    process: Process,
    assigned: Assignment,
    vault: Vault,
    cache: TicketCache,
    keeper: Keeper,
    *,
    end_on_stop: bool,
) -> AsyncIterator[tuple[Collector, ...]]:
    """A collector for each account, ready to ask; STOPs are told of as long as they are.

    Raises:
        AuthError: the vault cannot be used.
        StorageError: a budget cannot be read.
    """
    halt = Halt(
        process.settings.home,
        process.telemetry.status,
        ends=end_on_stop,
        accounts=(each.name for each in assigned.accounts),
        clock=process.clock.time,
    )
    counted = [LOGIN, *(command.name for command in assigned.profile.commands.values())]
    metrics = process.telemetry.metrics
    begin(metrics.requests, counted, RULES)
    begin(metrics.plan_requests, REASONS)
    begin(metrics.upstream_changes, FLAGS)
    async with AsyncExitStack() as stack:
        markets = {
            platform: stack.enter_context(_market(platform, process, assigned, keeper))
            for platform in sorted({each.platform for each in assigned.accounts})
        }
        made = [
            await stack.enter_async_context(
                _collector(each, process, assigned, vault, cache, keeper, halt, markets)
            )
            for each in assigned.accounts
        ]
        home = process.settings.home
        focus = (partial(follow_focus, home, market) for market in markets.values())
        await stack.enter_async_context(beside(halt.watch, *focus))
        yield tuple(made)


async def ask(collectors: Sequence[Collector]) -> None:
    """Ask for all accounts. Ends only by cancellation, or by the first failure."""
    async with anyio.create_task_group() as group:
        for each in collectors:
            group.start_soon(each.market.collect, each.exchange)


async def follow_focus(home: Path, market: Market, *, every: float = _LOOK_AT_FOCUS) -> None:
    """Take up what `m26 plan focus` changes; settings that cannot be read change nothing.

    Raises:
        StorageError: the plan cannot be kept.
    """
    told = ""
    while True:
        await anyio.sleep(every)
        try:
            weights = (await run_sync(load, {"home": home})).settings.plan.focus
        except ConfigError as error:
            if error.message != told:
                told = error.message
                _log.warning("plan.focus_unreadable", error=told, advice=error.hint)
            continue
        told = ""
        await market.refocus(weights)


@contextmanager
def _market(
    platform: str, process: Process, assigned: Assignment, keeper: Keeper
) -> Iterator[Market]:
    """What a platform's accounts share; its plan is kept in the home.

    Raises:
        StorageError: it cannot be.
    """
    limits, profile = budget_limits(assigned.profile, process.settings), assigned.profile
    accounts = sum(each.platform == platform for each in assigned.accounts)
    per_day, per_minute = limits.per_day * accounts, limits.per_minute * accounts
    now = process.clock.time() + keeper.times.of(platform).skew
    with Plan(
        process.settings.home / PLANS / platform,
        per_day=per_day,
        per_minute=per_minute,
        now=int(now * 1e6),
        pins=profile.pins,
    ) as plan:
        yield Market(
            platform=platform,
            plan=plan,
            per_day=per_day,
            per_minute=per_minute,
            paging=profile.paging,
            focus=Focus(process.settings.plan.focus),
            normalizer=Normalizer(profile.card),
            telemetry=process.telemetry,
        )


@asynccontextmanager
async def _collector(
    account: Account,
    process: Process,
    assigned: Assignment,
    vault: Vault,
    cache: TicketCache,
    keeper: Keeper,
    halt: Halt,
    markets: Mapping[str, Market],
) -> AsyncIterator[Collector]:
    """Everything that asks for one account; its budget is written down at the end."""
    clock, telemetry, profile = process.clock, process.telemetry, assigned.profile
    settings, name, durable = process.settings, account.name, keeper.durable
    async with AsyncExitStack() as stack:
        told = partial(_waiting, telemetry.status, name)
        budget = budget_of(name, profile, settings, clock=clock, on_wait=told, durable=durable)
        await stack.enter_async_context(written_down(budget, account=name))
        client = await stack.enter_async_context(_gateway(account, assigned, keeper, clock))
        session = Session(
            entry=Entry(vault, name, clock=clock.time),
            client=client,
            profile=profile,
            cache=cache,
            spend=halt.guarded(name, budget.spend),
            clock=clock.time,
            on_strategy=partial(_strategy, telemetry.status, name),
            on_login=partial(telemetry.metrics.count_request, LOGIN),
        )
        stack.push_async_callback(session.aclose)
        reaction = Reaction(
            account=name,
            session=session,
            standing=Standing(budget.book, clock=clock.time),
            halt=halt,
            slow_down=budget.slow_down,
            telemetry=telemetry,
            clock=clock,
        )
        exchange = Exchange(
            account=account,
            session=session,
            commands=profile.commands,
            hosts=profile.hosts,
            journal=keeper.keep,
            receive=keeper.receive,
            server=client.server,
            may_ask=keeper.room,
            slot=halt.guarded(name, budget.free),
            reaction=reaction,
            telemetry=telemetry,
            clock=clock,
        )
        yield Collector(account, exchange, session, budget, markets[account.platform])


def _gateway(account: Account, assigned: Assignment, keeper: Keeper, clock: Clock) -> GatewayClient:
    return gateway(
        assigned.profile,
        account.platform,
        oauth_url=assigned.oauth_url,
        base_url=assigned.base_url,
        clock=clock,
        server=keeper.times.of(account.platform),
    )


def gauge(collectors: Iterable[Collector], metrics: Metrics) -> None:
    """Export what is left, of all accounts the least."""
    budget: dict[str, int] = {}
    auth: dict[str, float] = {}
    for each in collectors:
        for window, left in each.budget.left.items():
            budget[window] = min(left, budget.get(window, left))
        for what, seconds in each.auth_left.items():
            auth[what] = min(seconds, auth.get(what, seconds))
    for window, left in budget.items():
        metrics.budget_remaining.labels(window).set(left)
    metrics.auth_seconds_left.clear()  # a credential that is gone has no life left to tell
    for what, seconds in auth.items():
        metrics.auth_seconds_left.labels(what).set(seconds)


def _strategy(status: Status, account: str, reason: str) -> None:
    source = f"strategy:{account}"
    if reason:
        advice = "Import a fresh capture, and check [signing] of profile.toml: one way is left."
        status.report(source, State.COLLECTING, reason=f"strategy: {reason}", advice=advice)
    else:
        status.report(source, State.COLLECTING)


def _waiting(status: Status, account: str, reason: str, until: float) -> None:
    source = f"budget:{account}"
    if reason:
        advice = "Nothing to do: requests go on by themselves."
        status.report(source, State.PAUSED, reason=f"budget: {reason}", advice=advice, until=until)
    else:
        status.report(source, State.COLLECTING)
