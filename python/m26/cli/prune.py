"""``m26 db prune``: what is old goes, after a plan of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26.cli.options import Options, seconds_of
from m26.cli.output import dump_json, print_rows, say, size, table, text
from m26.errors import M26Error, StorageError, UsageError

if TYPE_CHECKING:
    from m26.cli.database_documents import PruneView
    from m26.config import Settings
    from m26.store.database import Store
    from m26.store.retention import Plan


async def prune(
    *,
    older: str,
    yes: Annotated[bool, Parameter(negative="")] = False,
    options: Options = Options(),
) -> int:
    """Take out events that are older, with their auctions; the prices of their days stay.

    Without --yes it only says what would go, from when to when, and what that frees. Whole
    partitions of events go, 5,000,000 each. Days of which something goes are final: their daily
    prices stay, and are never computed again. It works beside `m26 run`, and whoever was
    interrupted goes on with the same command.

    Example: ``m26 db prune --older 400d``

    Args:
        older: what is older than this may go, counted back from the newest event; 35d or more.
        yes: do it.
        options: options of every command.
    """
    from m26.app.servers import database
    from m26.store import pruning
    from m26.store.retention import LEAST

    age = timedelta(seconds=seconds_of("--older", older))
    if age < LEAST:
        raise UsageError(
            f"--older {older} is too short: of younger auctions more may still be told",
            hint=f"Keep {LEAST.days}d or more.",
        )
    loaded = options.load()
    async with database(loaded) as store:
        await store.migrate()
        if yes:
            await pruning.finish(store, told=_told)
        plan = await _plan(store, loaded.settings, age)
        if applies := yes and plan.before is not None:
            await pruning.decide(store, plan)
            await pruning.finish(store, told=_told)
    if options.json:
        dump_json(_document(plan, applied=applies))
    else:
        show(plan, applied=applies, older=older)
    return 0


def _told(done: str) -> None:
    say(f"m26: {done}\n", stderr=True)


async def _plan(store: Store, settings: Settings, older: timedelta) -> Plan:
    from m26.store import pruning

    published, holds = await _published(settings, await store.database_id())
    return await pruning.plan(store, older, published=published, holds=holds)


async def _published(settings: Settings, database: str) -> tuple[int | None, list[str]]:
    """The last event that this database's stream in Redis ever had, and what is not known of it."""
    from m26.app.servers import redis_server
    from m26.publish.client import OUTAGES, plain
    from m26.publish.stream import Stream
    from m26.redisclient import connect

    try:
        async with redis_server(settings) as server:
            client = connect(server.url)
            try:
                seen = await Stream(client, maxlen=settings.redis.stream_maxlen).look()
            finally:
                await client.aclose()
    except (*OUTAGES, StorageError) as error:
        why = error.message if isinstance(error, M26Error) else plain(error)
        return None, [f"Redis does not say how far its stream is: {why}"]
    return (seen.last if seen.database == database else None), []


def _document(plan: Plan, *, applied: bool) -> PruneView:
    return {
        "applied": applied,
        "older_than": plan.limit,
        "final_before": plan.before,
        "last_seq": plan.last_seq,
        "first": plan.first,
        "last": plan.last,
        "going": [
            {"table": g.table, "rows": g.rows, "bytes": g.bytes, "to_disk": g.to_disk}
            for g in plan.going
        ],
        "final_rows": plan.final_rows,
        "stays": {"events": plan.stays, "since": plan.stays_from, "next_at": plan.next_at},
        "holds": plan.holds,
        "unfinished": plan.is_begun and not applied,
    }


def show(plan: Plan, *, applied: bool, older: str) -> None:
    """A plan for people, or what it came to."""
    if plan.is_begun and not applied:
        say("An earlier pruning has not ended: with --yes it goes on first.\n")
    if plan.before is None:
        print_rows(
            [
                ("goes", f"nothing: no partition of events is older than {text(plan.limit)}"),
                *_stays(plan),
            ]
        )
        return
    table(
        "went" if applied else "goes",
        ("table", "rows", "size", "then"),
        (
            [g.table, g.rows, size(g.bytes), "free" if g.to_disk else "for later rows"]
            for g in plan.going
        ),
    )
    print_rows(
        [
            ("", ""),
            ("events", f"from {text(plan.first)} to {text(plan.last)}, up to {plan.last_seq:,}"),
            ("final", f"days before {plan.before:%Y-%m-%d}: {plan.final_rows:,} daily prices stay"),
            *_stays(plan),
            *([] if applied else [("to do it", f"m26 db prune --older {older} --yes")]),
        ]
    )


def _stays(plan: Plan) -> list[tuple[str, str]]:
    return [
        ("stays", f"{plan.stays:,} events since {text(plan.stays_from)}"),
        *([("next", f"may go from {text(plan.next_at)} on")] if plan.next_at else []),
        *(("waits for", hold) for hold in plan.holds),
    ]
