"""One account's part of a run: its connection, session, budget and exchange, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from m26.accounts import Account, Upstream
from m26.auth.cache import TicketCache
from m26.auth.strategy import Session
from m26.auth.vault import Vault
from m26.clock import Clock
from m26.collect.budget import Budget
from m26.collect.exchange import Exchange
from m26.collect.halt import Halt
from m26.collect.keep import Keeper
from m26.config import Settings
from m26.metrics import Metrics
from m26.status import State, Status
from m26.upstream.client import GatewayClient


@dataclass(frozen=True, slots=True)
class Collector:
    """One account's part of a run."""

    exchange: Exchange
    session: Session
    budget: Budget


@asynccontextmanager
async def collector(
    account: Account,
    *,
    up: Upstream,
    settings: Settings,
    vault: Vault,
    cache: TicketCache,
    keeper: Keeper,
    halt: Halt,
    status: Status,
    metrics: Metrics,
    clock: Clock,
) -> AsyncIterator[Collector]:
    """Everything that asks for one account; its budget is written down at the end."""
    budget = Budget(
        settings.home / "budget" / f"{account.name}.json",
        up.budget(settings),
        clock=clock.time,
        sleep=clock.sleep,
        on_wait=partial(_waiting, status, account.name),
    )
    async with GatewayClient(
        profile=up.profile,
        platform=account.platform,
        oauth_url=up.oauth_url,
        base_url=up.base_url,
        clock=clock.time,
    ) as client:
        session = Session(
            account=account.name,
            vault=vault,
            client=client,
            profile=up.profile,
            cache=cache,
            spend=budget.spend,
            clock=clock.time,
        )
        exchange = Exchange(
            account=account.name,
            platform=account.platform,
            commands=up.profile.commands,
            session=session,
            journal=keeper.keep,
            may_ask=keeper.room,
            stop=halt.stop,
            slow_down=budget.slow_down,
            status=status,
            metrics=metrics,
            sleep=clock.sleep,
            clock=clock.time,
        )
        yield Collector(exchange, session, budget)
    await budget.close()


def _waiting(status: Status, account: str, reason: str, until: float) -> None:
    source = f"budget:{account}"
    if reason:
        advice = "Nothing to do: requests go on by themselves."
        status.report(source, State.PAUSED, reason=f"budget: {reason}", advice=advice, until=until)
    else:
        status.report(source, State.COLLECTING)
