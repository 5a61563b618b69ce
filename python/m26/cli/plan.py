"""``m26 plan``: what is asked and why; the planner's door."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from m26.cli.options import Options, within
from m26.cli.output import dump_json, print_rows, raw_streams, say, table, text

if TYPE_CHECKING:
    from m26._native import Planner
    from m26.cli.plan_documents import (
        ExplainedView,
        ExplainView,
        ForecastMarketView,
        ForecastView,
    )

_MICROS = 1_000_000
NOTHING = "nothing is known yet: `m26 run` learns it\n"


def serve(*, options: Options = Options()) -> int:
    """The planner and the outcome rules behind JSON lines on stdin and stdout, in virtual time.

    Whoever holds a market asks with ``hello``; then the planner asks and is answered, one question
    at a time, until ``end`` or ``restart``. What it needs is kept in the home's ``plan-serve``.

    Example: ``python -m benches.market play --variant default -- m26 plan serve``
    """
    from m26.collect.serve import serve as serve_plan

    return serve_plan(options.load().settings.home / "plan-serve", *raw_streams())


def explain(auction_id: Annotated[int, within(0)], /, *, options: Options = Options()) -> int:
    """What is known of an auction, and when it will be looked at. Exit code 1: it is not known.

    Example: ``m26 plan explain 57828095``

    Args:
        auction_id: as the upstream numbers it.
        options: options of every command.
    """
    from m26.collect.plan import kept

    home = options.load(logs=False).settings.home
    found = [
        view
        for platform, planner in kept(home).items()
        if (view := _explained(platform, planner, auction_id)) is not None
    ]
    if options.json:
        printed: ExplainView = {"auction_id": auction_id, "auctions": found}
        dump_json(printed)
    for view in [] if options.json else found:
        print_rows(_explanation(auction_id, view))
    if not found and not options.json:
        say(f"auction {auction_id} is not known to the plan: it was not seen, or is long over\n")
    return 0 if found else 1


def forecast(
    *, per_day: Annotated[int, within(1, 1_000_000)], options: Options = Options()
) -> None:
    """What another budget would see of the market, by the rates learned so far.

    Example: ``m26 plan forecast --per-day 8000``

    Args:
        per_day: requests a day.
        options: options of every command.
    """
    from m26.collect.plan import kept

    home = options.load(logs=False).settings.home
    markets = [_forecast(name, planner, per_day) for name, planner in kept(home).items()]
    if options.json:
        printed: ForecastView = {"per_day": per_day, "markets": markets}
        dump_json(printed)
        return
    columns = ("platform", "listed a day", "seen", "sales", "known", "for pages", "for states")
    rows = [
        (
            each["platform"],
            round(each["listed"]),
            _share(each["seen_ratio"]),
            round(each["sales"]),
            _share(each["known_ratio"]),
            round(each["requests_for_pages"]),
            round(each["requests_for_states"]),
        )
        for each in markets
    ]
    table(f"With {text(per_day)} requests a day", columns, rows)
    if not markets:
        say(NOTHING)


def _explained(platform: str, planner: Planner, auction_id: int) -> ExplainedView | None:
    from m26.clock import iso

    lot = planner.lot(auction_id)
    if lot is None:
        return None
    state, label, before, at = lot
    card, posted, expires, first, last, missing, bids, bid, buyout, median = state

    def time(micros: int | None) -> str | None:
        return iso(micros / _MICROS) if micros else None

    return {
        "platform": platform,
        "card_id": card,
        "posted_at": iso(posted / _MICROS),
        "expires_at": iso(expires / _MICROS),
        "first_seen": iso(first / _MICROS),
        "last_seen": time(last),
        "missing_since": time(missing),
        "bids": bids,
        "current_bid": bid,
        "buyout_price": buyout or None,
        "median_price": median or None,
        "said": None
        if label is None
        else {
            "outcome": label[1],
            "outcome_via": label[2],
            "final_price": label[3],
            "evidence": label[4],
            "confidence": round(label[5], 4),
            "price_confidence": round(label[6], 4),
            "closed_after": time(label[7]),
            "closed_before": time(label[8]),
        },
        "asked_after": time(at),
        "before_it": before,
    }


def _explanation(auction_id: int, view: ExplainedView) -> list[tuple[str, str]]:
    said, now = view["said"], "not for its own sake: its end is told, or a refresh leaves it out"
    if view["before_it"] is not None:
        now = f"with the next requests; {text(view['before_it'])} others come first"
    elif view["asked_after"] is not None:
        now = f"from {view['asked_after']} on, and whenever a page shows it"
    rows = [
        ("auction", f"{auction_id} on {view['platform']}, card {view['card_id']}"),
        ("listed", f"{view['posted_at']}, until {view['expires_at']}"),
        ("seen", f"first {view['first_seen']}, on offer last {view['last_seen'] or 'never'}"),
        *([("missing", f"since {view['missing_since']}")] if view["missing_since"] else []),
        ("bids", f"{text(view['bids'])}, at {text(view['current_bid'])}"),
        ("buyout", f"{text(view['buyout_price'])}, the card's median {text(view['median_price'])}"),
        ("looked at", now),
    ]
    if said is not None:
        via = f" by {said['outcome_via']}" if said["outcome_via"] else ""
        price = f" for {text(said['final_price'])}" if said["final_price"] is not None else ""
        sure = f"{said['confidence']:.2f}, with its price {said['price_confidence']:.2f}"
        rows.append(("outcome", f"{said['outcome']}{via}{price} ({said['evidence']}, {sure})"))
    return rows


def _forecast(platform: str, planner: Planner, per_day: int) -> ForecastMarketView:
    listed, seen, sales, known, pages, refreshes = planner.forecast(per_day)
    return {
        "platform": platform,
        "listed": round(listed, 1),
        "seen": round(seen, 1),
        "seen_ratio": round(seen / listed, 4) if listed else None,
        "sales": round(sales, 1),
        "sales_known": round(known, 1),
        "known_ratio": round(known / sales, 4) if sales else None,
        "requests_for_pages": round(pages, 1),
        "requests_for_states": round(refreshes, 1),
    }


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1%}"
