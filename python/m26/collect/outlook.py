"""A planner in; what operators are shown of it out: how much was seen, what is next and why."""

from __future__ import annotations

import orjson

from m26._native import Planner
from m26.clock import iso
from m26.collect.questions import FLAGS, Ask
from m26.status.views import CapabilityView, ChoiceView, CoverageView, MarketView

_HOURS = 24
_UNSEEN = "no reply has shown it yet"
_MICROS = 1_000_000


def market(
    platform: str,
    planner: Planner,
    *,
    now: int,
    last: tuple[Ask, str] | None = None,
) -> MarketView:
    """What is known of a market.

    Args:
        platform: whose it is.
        planner: what its replies have taught; it is not changed.
        now: server time, µs.
        last: what was asked last, and why.
    """
    _, due, known, alive, rate, _ = planner.outlook()
    return MarketView(
        platform=platform,
        coverage=coverage(planner),
        listings_per_hour=round(rate * 3_600, 1),
        auctions_known=known,
        auctions_open=alive,
        auctions_due=due,
        decisions={why: replies for why, replies, *_ in planner.reasons()},
        last=None if last is None else _asked(*last),
        next=[
            ChoiceView(
                ask="refresh" if offset is None else "search",
                offset=offset,
                count=round(count, 1),
                worth=round(worth, 3),
                why=why,
            )
            for offset, count, worth, why in planner.choices(now)
        ],
        capabilities=capabilities(planner),
    )


def coverage(planner: Planner) -> CoverageView:
    """Of the listings of the last 24 hours, those that were seen."""
    hours = planner.hours()[-_HOURS:]
    seen, listed = sum(hour[1] for hour in hours), sum(hour[2] for hour in hours)
    return CoverageView(
        seen=seen,
        listed=round(listed, 1),
        ratio=round(min(1.0, seen / listed), 4) if listed else None,
        blind_seconds=round(sum(hour[3] for hour in hours), 1),
    )


def capabilities(planner: Planner) -> list[CapabilityView]:
    """Everything that an upstream may do one way or the other, known or not."""
    held = {flag: (value, since, why, pin) for flag, value, since, why, pin in planner.evidence()}
    views = []
    for flag in FLAGS:
        value, since, why, is_pinned = held.get(flag, ("null", 0, _UNSEEN, False))
        views.append(
            CapabilityView(
                flag=flag,
                value=orjson.loads(value),
                origin="pinned" if is_pinned else "learned" if flag in held else "unknown",
                since=iso(since / _MICROS) if since else None,
                evidence=why,
            )
        )
    return views


def spelled(view: CapabilityView) -> str:
    """A capability's value for a person."""
    value = view["value"]
    if view["origin"] == "unknown":
        return "not known"
    if value is None or (view["flag"] == "truncate" and value == 0):
        return "for ever" if value is None else "not at all"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value} s" if view["flag"] == "recall" else str(value)


def _asked(ask: Ask, why: str) -> ChoiceView:
    if ask.search is None:
        return ChoiceView(ask="refresh", offset=None, count=len(ask.ids), worth=None, why=why)
    offset, count = ask.search
    return ChoiceView(ask="search", offset=offset, count=count, worth=None, why=why)
