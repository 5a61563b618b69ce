"""``m26 tail``: live events, each once, from wherever the reader left off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import orjson
from cyclopts import Parameter

from m26.cli.options import Options, within
from m26.cli.output import console, dump_document, text
from m26.models import EventView

if TYPE_CHECKING:
    from m26.store.database import Store

_STYLES = {"listed": "cyan", "bid": "yellow", "changed": "magenta", "closed": "green"}
_MOST_NAMES = 10_000


async def tail(
    *,
    from_: Annotated[int | None, Parameter(name="--from"), within(0)] = None,
    limit: Annotated[int | None, within(0)] = None,
    options: Options = Options(),
) -> int:
    """Print events as they are committed; with --json one JSON document a line.

    Each event has a number; after an interruption, go on with --from NUMBER and none is missing.
    A card has its number and its name.

    Example: ``m26 tail --from 1 --json``

    Args:
        from_: first event wanted; default: only new ones.
        limit: end after this many.
        options: options of every command.
    """
    from contextlib import aclosing

    from m26.app import servers
    from m26.publish.client import connect
    from m26.publish.follow import follow
    from m26.store.connection import session_name

    settings = options.load().settings
    async with (
        servers.database_server(settings) as database,
        servers.redis_server(settings) as cache,
        servers.store(database.url, name=session_name(settings.home)) as store,
    ):
        await store.migrate()
        redis = connect(cache.url)
        after = await store.head() if from_ is None else from_ - 1
        left, names = limit, Names(store)
        async with aclosing(follow(store, redis, after=after)) as events:
            if left != 0:
                async for _, data in events:
                    if options.json:
                        dump_document(data)
                    else:
                        event: EventView = orjson.loads(data)
                        _show(event, await names.of(event))
                    left = None if left is None else left - 1
                    if left == 0:
                        break
        await redis.aclose()
    return 0


class Names:
    """The cards' names, each asked for once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[tuple[int, str], str] = {}

    async def of(self, event: EventView) -> str:
        """The name of an event's card; empty where it has none."""
        key = event["card_id"], event["card_version"]
        if key not in self._known:
            if len(self._known) >= _MOST_NAMES:
                self._known.clear()
            self._known[key] = await self._store.card_name(*key) or ""
        return self._known[key]


def _show(event: EventView, name: str) -> None:
    from rich.markup import escape

    kind = event["kind"]
    buyout = f"{event['buyout_price']:,}" if event["buyout_price"] is not None else "-"
    outcome = f"  {event['outcome']} {event['outcome_via'] or ''}" if event["outcome"] else ""
    console().print(
        f"{event['seq']:>9,}  {event['observed_at']:<27} [{_STYLES[kind]}]{kind:<7}[/]"
        f" {event['platform']:<4} {event['auction_id']:>12}  card {event['card_id']:>9}"
        f" {escape(text(name)):<20}  bid {event['current_bid']:>9,} ({event['bids']})"
        f"  buyout {buyout:>9}{outcome}"
    )
