"""What requests of one account go out by: its budget and its connection, in a run and in upkeep."""

from __future__ import annotations

from collections.abc import Callable

from m26.app.accounts import budget_limits
from m26.clock import Clock
from m26.config import Settings
from m26.limits.book import Durable
from m26.limits.budget import Budget
from m26.servertime import ServerTime
from m26.upstream.client import DEADLINE, GatewayClient
from m26.upstream.profile import Profile


def budget_of(
    account: str,
    profile: Profile,
    settings: Settings,
    *,
    clock: Clock,
    on_wait: Callable[[str, float], None],
    durable: Callable[[], Durable] | None = None,
) -> Budget:
    """The budget that all processes of the home share; `on_wait`, `durable` as in `Budget`."""
    return Budget(
        settings.home / "budget" / f"{account}.json",
        budget_limits(profile, settings),
        clock=clock.time,
        sleep=clock.sleep,
        on_wait=on_wait,
        durable=durable,
    )


def gateway(
    profile: Profile,
    platform: str,
    *,
    oauth_url: str | None,
    base_url: str | None,
    clock: Clock,
    server: ServerTime | None = None,
) -> GatewayClient:
    """A connection to the gateway, or to what stands in its place; `server` as it takes it."""
    return GatewayClient(
        profile=profile,
        platform=platform,
        oauth_url=oauth_url,
        base_url=base_url,
        deadline=DEADLINE / clock.speed,
        clock=clock.time,
        server=server,
    )
