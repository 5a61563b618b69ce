"""``m26 top``: the next requests and why, of all platforms of a home at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from m26.cli.options import Options
from m26.cli.output import Rows, console, dump_json, duration, grid, print_rows, text

if TYPE_CHECKING:
    from m26.cli.plan_documents import TopView
    from m26.config import Loaded
    from m26.status.views import ChoiceView, MarketView

_EVERY = 1.0


def top(*, options: Options = Options()) -> int:
    """What is asked next and why, budget, coverage and capabilities; Ctrl-C ends it.

    On a terminal it is redrawn each second; elsewhere, and with ``--json``, it is one look.
    Exit code 1: m26 does not run for this home, or does not answer.

    Example: ``m26 top``

    Args:
        options: options of every command.
    """
    loaded = options.load(logs=False)
    now = _look(loaded)
    if options.json:
        dump_json(now)
    elif not console().is_terminal or now["problem"]:
        print_rows(rows(now))
    else:
        now = _watch(loaded)
        print_rows(rows(now) if now["problem"] else [])
    return 1 if now["problem"] else 0


def rows(now: TopView) -> Rows:
    """Labels and texts of one look."""
    if now["problem"]:
        return [("state", now["problem"])]
    from m26.clock import unix

    lines: Rows = []
    for market in now["markets"]:
        accounts = [each for each in now["accounts"] if each["platform"] == market["platform"]]
        lines.append(("platform", market["platform"]))
        for account in accounts:
            left = ", ".join(f"{name} {text(n)}" for name, n in account["budget"].items())
            at = account["next_request_at"]
            due = f"; next in {duration(unix(at) - time.time())}" if at else ""
            lines.append(("  account", f"{account['name']}: {account['state']}; left {left}{due}"))
        lines += _of_market(market)
    return lines


def _of_market(market: MarketView) -> Rows:
    from m26.collect.outlook import spelled

    seen = market["coverage"]
    ratio = "-" if seen["ratio"] is None else f"{seen['ratio']:.1%}"
    blind = duration(seen["blind_seconds"])
    known = f"{text(market['auctions_known'])}, {text(market['auctions_open'])} of them open"
    flags = [
        f"{c['flag']} {spelled(c)}" for c in market["capabilities"] if c["origin"] != "unknown"
    ]
    why = [f"{reason} {text(n)}" for reason, n in market["decisions"].items()]
    return [
        ("  listings", f"{text(round(market['listings_per_hour']))} an hour"),
        ("  coverage", f"{ratio} of the last day's listings seen; {blind} without a look"),
        ("  auctions", f"{known}, {text(market['auctions_due'])} to be asked after"),
        ("  last", _choice(market["last"]) if market["last"] else "-"),
        *(("  next", _choice(each)) for each in market["next"]),
        ("  asked", ", ".join(why) or "nothing yet"),
        ("  upstream", ", ".join(flags) or "nothing is known yet"),
    ]


def _choice(choice: ChoiceView) -> str:
    count = text(round(choice["count"]))
    if choice["ask"] == "refresh":
        what = f"states of {count} auctions"
    elif choice["worth"] is None:
        what = f"page at {text(choice['offset'])}"
    else:
        what = f"page at {text(choice['offset'])}, some {count} new"
    worth = "" if choice["worth"] is None else f", worth {choice['worth']:.2f} sales"
    return f"{what}: {choice['why']}{worth}"


def _look(loaded: Loaded) -> TopView:
    from m26.cli.status import ask
    from m26.home.runfile import read_run

    home = loaded.settings.home
    run = read_run(home)
    now, trouble = ask(run, loaded) if run else (None, f"m26 does not run for {home}")
    return {
        "running": run is not None,
        "problem": trouble,
        "accounts": now["accounts"] if now else [],
        "markets": now["markets"] if now else [],
    }


def _watch(loaded: Loaded) -> TopView:
    """Redraw until m26 ends."""
    from rich.live import Live

    out = console()
    with Live(console=out, auto_refresh=False, vertical_overflow="crop", transient=True) as live:
        while True:
            now = _look(loaded)
            if now["problem"]:
                return now
            live.update(grid(rows(now), width=out.width), refresh=True)
            time.sleep(_EVERY)
