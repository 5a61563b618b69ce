"""What `m26 run` would do, without doing it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from m26.cli.output import dump_json, print_rows, text

if TYPE_CHECKING:
    from m26.cli.documents import PlanView
    from m26.config import Loaded


def show_plan(
    loaded: Loaded, *, account: str | None, allow: Collection[str], as_json: bool
) -> None:
    """Print profile, accounts, pace, query and servers. Opens no socket and writes nothing."""
    from m26.app.accounts import assignment, budget_limits, outlook
    from m26.auth.vault import Vault
    from m26.collect.sweep import SEARCH
    from m26.home.stops import read_stops
    from m26.store.migrate import shipped

    settings = loaded.settings
    vault = Vault.open(settings.home, settings.vault)
    assigned = assignment(settings, vault, only=account)
    ahead = outlook(settings, vault, only=account, allow=allow)
    profile = assigned.profile
    budget = budget_limits(profile, settings)
    names = [each.name for each in assigned.accounts]
    plan: PlanView = {
        "profile": profile.name,
        "upstream": ahead.hosts,
        "warnings": [*(f"{each.message}. {each.hint}" for each in ahead.refused), *ahead.limits],
        "accounts": ["the simulator's"] if assigned.is_simulator else names,
        "query": SEARCH,
        "paging": f"{profile.paging.mode}, {profile.paging.count} a page",
        "requests_per_day": budget.per_day,
        "requests_per_minute": budget.per_minute,
        "seconds_between_requests": round(86_400 / budget.per_day, 3),
        "postgres": "given" if settings.postgres.dsn else "embedded",
        "redis": "given" if settings.redis.url else "embedded",
        "migrations": [migration.name for migration in shipped()],
        "home": str(settings.home),
        "dashboard": f"http://{settings.web.host}:{settings.web.port}",
        "stopped": sorted({stop.reason for stop in read_stops(settings.home)}),
    }
    if as_json:
        dump_json(plan)
        return
    print_rows(
        [
            (
                key.replace("_", " "),
                (", ".join(value) or "no") if isinstance(value, list) else text(value),
            )
            for key, value in plan.items()
        ]
    )
