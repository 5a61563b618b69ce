"""Snapshots in; what `m26 run` and `m26 status` say of a run, as labels and texts, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from m26.cli.output import Rows, duration, size, text
from m26.clock import unix
from m26.models import Account
from m26.status.views import (
    ConditionView,
    MarketView,
    RollupsView,
    ServerView,
    SetupView,
    StatusView,
    StepView,
)

_PASSING = ("budget left", "account", "lag", "prices", "running")
"""Rows that say nothing once the run is over."""


def setup(used: SetupView, accounts: Iterable[Account]) -> Rows:
    """What a run uses, and whom it collects for."""
    names = ", ".join(f"{account.name} ({account.platform})" for account in accounts) or "none"
    source = "the built-in simulator; no account is used" if used["simulator"] else names
    return [
        ("source", source),
        ("profile", used["profile"]),
        ("upstream", ", ".join(used["upstream"])),
        ("PostgreSQL", _server(used["database"])),
        ("Redis", _server(used["redis"])),
        ("files", used["home"]),
        ("status", f"{used['url']}/api/v1/status"),
    ]


def banner(used: SetupView, accounts: Iterable[Account]) -> Rows:
    """What a run will use, and how to end it."""
    return [
        ("m26", used["versions"]["m26"]),
        *setup(used, accounts),
        ("stop", "Ctrl-C; what was received is stored first"),
        ("", ""),
    ]


def figures(now: StatusView) -> Rows:
    """The figures, label and text; the same ones for the live table and ``m26 status``."""
    rate, auctions, requests = now["rate"], now["auctions"], now["requests"]
    lag, commits, journal = now["lag_seconds"], now["commits"], now["journal"]
    mean = "" if commits["mean_seconds"] is None else f", {_seconds(commits['mean_seconds'])} each"
    sent = f"{text(sum(requests.values()))} ({_pairs(requests)})"
    return [
        *_condition_rows(now["state"], unix(now["now"])),
        *(
            ("also", f"{other['source']} {other['state']}: {other['reason']}")
            for other in now["conditions"]
            if other["reason"] and other != now["state"]
        ),
        ("requests", f"{sent}; {rate['requests_per_minute']:.1f}/min"),
        ("budget left", _pairs(now["budget"], "unknown")),
        *_account_rows(now),
        *(("market", _market(each)) for each in now["markets"]),
        ("auctions", f"{_pairs(auctions)}; {rate['auctions_per_second']:,.1f}/s"),
        ("events", f"{_pairs(now['events'])}; {rate['events_per_second']:,.1f}/s"),
        ("lag", ", ".join(f"{stage} {_seconds(value)}" for stage, value in lag.items())),
        ("commits", f"{text(commits['count'])}{mean}"),
        ("journal", f"{size(journal['bytes'])}, backlog {text(journal['backlog'])}"),
        ("prices", _prices(now["rollups"])),
        ("fair prices", _fair(now["fair"])),
        (
            "auth left",
            ", ".join(
                f"{what.replace('_', ' ')} {duration(left)}"
                for what, left in now["auth_seconds_left"].items()
            )
            or "unknown",
        ),
        ("running", duration(now["uptime_seconds"])),
    ]


def summary(now: StatusView) -> Rows:
    """What the run came to."""
    shown = [row for row in figures(_before_its_end(now)) if row[0] not in _PASSING]
    refused = now["rejects"]
    return [
        ("", ""),
        ("ran for", duration(now["uptime_seconds"])),
        *shown,
        *([("rejects", f"{_pairs(refused)}; see `m26 rejects ls`")] if refused else []),
        ("database", "open it with `m26 embedded psql`")
        if now["database"]["embedded"]
        else ("database", now["database"]["where"]),
    ]


def _before_its_end(now: StatusView) -> StatusView:
    """The snapshot without the word that the run is ending: how it was is what counts."""
    told = [each for each in now["conditions"] if each["state"] != "draining"]
    return {**now, "state": told[0], "conditions": told} if told else now


def _condition_rows(state: ConditionView, now: float) -> Rows:
    why = f": {state['reason']}" if state["reason"] else ""
    lines = [("state", f"{state['state']}{why} (for {duration(now - unix(state['since']))})")]
    if state["advice"]:
        lines.append(("do", state["advice"]))
    if state["until"] is not None:
        lines.append(("next try", f"in {duration(unix(state['until']) - now)}"))
    return lines


def _account_rows(now: StatusView) -> Rows:
    """One line for each account: how it is, what is left, when there is more."""
    at, rows = unix(now["now"]), []
    for account in now["accounts"]:
        parts: list[str] = [account["state"]]
        if account["strategy"]:
            parts.append(account["strategy"])
        if account["budget"]:
            parts.append("left: " + _pairs(account["budget"]))
        if account["next_request_at"] is not None:
            parts.append(f"next in {duration(unix(account['next_request_at']) - at)}")
        for window, refills_at in account["refills_at"].items():
            if not account["budget"][window]:
                parts.append(f"the {window}'s refill in {duration(unix(refills_at) - at)}")
        if len(now["accounts"]) > 1 and account["auth_seconds_left"]:
            left = min(account["auth_seconds_left"].values())
            parts.append(f"auth {duration(left)}")
        rows.append(("account", f"{account['name']} ({account['platform']}): {', '.join(parts)}"))
    return rows


def _market(market: MarketView) -> str:
    """How much of it is seen; `m26 top` says more."""
    ratio, asked = market["coverage"]["ratio"], sum(market["decisions"].values())
    seen = "-" if ratio is None else f"{ratio:.1%}"
    flags = sum(each["origin"] != "unknown" for each in market["capabilities"])
    return (
        f"{market['platform']}: {seen} of the last day's listings seen,"
        f" {text(market['auctions_open'])} auctions open, {text(market['auctions_due'])} due;"
        f" {text(asked)} requests planned; {flags} of {len(market['capabilities'])}"
        " capabilities known"
    )


_STEPS = {
    "waiting": "waiting for the database and its indexes",
    "elsewhere": "kept by another process",
}


def _prices(rollups: RollupsView) -> str:
    """How far they follow the events."""
    left = f"{text(rollups['events_behind'])} events left at {text(rollups['events_per_second'])}/s"
    lag = f"{_seconds(rollups['lag_seconds'])} behind"
    words = {"building": f"building, {rollups['percent']} %, {left}; {lag}"}
    return (words | {"current": f"current, {lag}"} | _STEPS).get(rollups["state"], "off")


def _fair(fair: StepView) -> str:
    """How far they are, and how old a price is at most that an event has touched."""
    lag = f"at most {_seconds(fair['lag_seconds'])} behind"
    words = {"building": f"building, {fair['percent']} %; {lag}", "current": f"current, {lag}"}
    return (words | _STEPS).get(fair["state"], "off")


def _server(server: ServerView) -> str:
    kind = "embedded" if server["embedded"] else "given"
    return f"{kind} {server['version']}".rstrip() + f", {server['where']}"


def _pairs(figures: Mapping[str, int], nothing: str = "none") -> str:
    return ", ".join(f"{name} {text(figures[name])}" for name in figures) or nothing


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else duration(value)
