"""Sweeps: the whole market once, page after page, with what was asked and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import orjson

from m26.collect.exchange import Exchange
from m26.models import SWEEP_END, Page
from m26.status.conditions import State
from m26.upstream.profile import Paging

SEARCH = '{"filters":[],"itemName":""}'
"""The search for everything."""
MAX_PAGES = 2_000
"""A sweep of more pages than this does not end by itself."""
_EMPTY_ALARM = 3
_MICROS = 1_000_000


@dataclass(slots=True, kw_only=True)
class Sweep:
    """One pass over the market. Times in microseconds."""

    started_at: int
    finished_at: int = 0
    pages_asked: int = 0
    pages_answered: int = 0
    truncated: bool = False
    complete: bool = False
    """Every page came, none was cut: what is absent was not on offer."""
    why: str = ""
    auctions: int = 0


async def sweep(exchange: Exchange, paging: Paging) -> Sweep:
    """Ask for pages until one is empty or repeated; then journal the sweep's end.

    Returns:
        What came of it. It is complete only if no page was cut, repeated or held up by a pause.
    """
    facts = Sweep(started_at=int(exchange.clock.time() * _MICROS))
    troubled, digest = False, None
    while not facts.why:
        payload, params, query = _request(paging, facts.auctions)
        facts.pages_asked += 1
        answer = await exchange.ask(
            "search", payload, query=query, params=params, sweep=facts.started_at
        )
        facts.pages_answered += 1
        troubled |= answer.troubled
        facts.truncated |= bool(answer.peek.truncated)
        repeated = answer.peek.ids_digest == digest
        digest = answer.peek.ids_digest
        if not answer.peek.count:
            facts.why = "empty page"
        elif repeated:
            facts.why = "page repeated: paging is ignored"
        elif paging.mode == "none":
            facts.why = "single page"
        elif facts.pages_asked == MAX_PAGES:
            facts.why = f"gave up after {MAX_PAGES} pages"
        if not repeated:
            facts.auctions += answer.peek.count
    facts.complete = facts.why in ("empty page", "single page") and not (
        facts.truncated or troubled
    )
    if troubled:
        facts.why += ", after a pause"
    if facts.truncated:
        facts.why += ", truncated by the server"
    facts.finished_at = int(exchange.clock.time() * _MICROS)
    await exchange.journal(_marker(exchange, facts))
    return facts


async def collect(exchange: Exchange, paging: Paging) -> None:
    """Sweep for ever; the budget paces the requests. Ends only by cancellation."""
    empty, report = 0, exchange.telemetry.status.report
    source = f"market:{exchange.account.name}"
    while True:
        facts = await sweep(exchange, paging)
        empty = 0 if facts.auctions else empty + 1
        if empty == 0:
            report(source, State.COLLECTING)
        elif empty >= _EMPTY_ALARM:
            report(
                source,
                State.COLLECTING,
                reason=f"market_empty: {_EMPTY_ALARM} sweeps in a row found no auction",
                advice="Is this the right platform and year? `m26 auth status` and M26_PROFILE.",
            )


def _request(paging: Paging, offset: int) -> tuple[str, dict[str, str] | None, str]:
    """(payload, URL parameters, query for the journal)."""
    if paging.mode == "none":
        return SEARCH, None, SEARCH
    page = {"offset": offset, "count": paging.count}
    query = orjson.dumps({**orjson.loads(SEARCH), **page}).decode()
    if paging.mode == "payload":
        return query, None, query
    return SEARCH, {name: str(value) for name, value in page.items()}, query


def _marker(exchange: Exchange, facts: Sweep) -> Page:
    return Page(
        account=exchange.account.name,
        platform=exchange.account.platform,
        command=SWEEP_END,
        query=SEARCH,
        status=0,
        content_type="application/json",
        fetched_at=facts.finished_at,
        body=orjson.dumps(asdict(facts)),
        sweep=facts.started_at,
    )
