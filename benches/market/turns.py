"""A planner that is ended, or whose upstream turns, in; what that costs it, as a section, out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from benches.market.dialogue import Break
from benches.market.model import Market
from benches.market.play import Game
from benches.market.variants import VARIANTS

TITLE = "Planner: what breaks and switches cost"
DAYS = 2
"""From the second day on, in which a break may be felt."""
LEFT = 1.0
"""Points of a day's sales that a break may cost beyond what nobody could see."""
NEAR = 3.0
"""Points by which a figure may be worse a day after a switch than where it was so all along."""
SOON = 20
"""Requests that could show a switch until it is told."""
NOON = 36
"""Hour of a switch."""
_NOTE = """
`m26 plan serve`, ended in the default market and started anew: sales known of the second and third
day, without those that were listed and ended while nobody looked, beside a run that was not ended.
*Costs*: sales that are known there and not here, in percent of a day's. Medians of the seeds.
"""
_SWITCHED = """
The upstream switched at noon of the second day: requests until that was told, of all and of those
that could show it, and figures of the day that begins 24 h later, beside those of an upstream that
was so all along. *Missed*: more than 20 of those requests in any seed, or worse by more than 3
points.
"""

Row = Mapping[str, Any]
Games = tuple[list[Game], list[Game]]
"""A game for each seed: with the turn, and without."""


def _game(variant: str, seed: int, days: float, **more: Any) -> Game:
    upstream = VARIANTS[variant]
    market = Market(seed=seed, per_day=upstream.per_day, days=days)
    return Game(variant=variant, upstream=upstream, market=market, **more)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a planner is ended, and between which hours nobody looks."""

    breaks: tuple[Break, ...]
    away: tuple[float, float] = (0, 0)

    def games(self, command: tuple[str, ...], cache: Path, seeds: Sequence[int]) -> Games:
        """What ends later than the days that are scored has a day to be known."""
        more: dict[str, Any] = {"command": command, "cache": cache, "away": self.away}
        more |= {"scored": (1.0, 1.0 + DAYS)}
        plain = [_game("default", seed, 2.1 + DAYS, **more) for seed in seeds]
        return [replace(game, breaks=self.breaks) for game in plain], plain


@dataclass(frozen=True, slots=True)
class Turned:
    """Which flag is switched in which variant, and the variant that it is then."""

    before: str
    flag: str
    value: str
    after: str

    def games(self, command: tuple[str, ...], cache: Path, seeds: Sequence[int]) -> Games:
        """Scored is the day that begins 24 h after the switch."""
        more: dict[str, Any] = {"command": command, "cache": cache, "scored": (2.5, 3.5)}
        switches = ((NOON, self.flag, self.value),)
        turned = [_game(self.before, seed, 4.6, switches=switches, **more) for seed in seeds]
        return turned, [_game(self.after, seed, 4.6, **more) for seed in seeds]


def short(games: Games, market: Mapping[str, Any]) -> Games:
    """The same in a small market, with turns in the first hours."""

    def small(game: Game) -> Game:
        breaks = tuple(replace(each, hours=each.hours / 10) for each in game.breaks)
        switches = tuple((hours / 10, flag, value) for hours, flag, value in game.switches)
        of = replace(game.market, **market)
        return replace(game, market=of, breaks=breaks, switches=switches, scored=None)

    turned, plain = games
    return [*map(small, turned)], [*map(small, plain)]


BREAKS = {
    "a restart": Ended((Break(30, "restart"),)),
    "a kill": Ended((Break(30, "kill"),)),
    "a kill an hour, replies on their way": Ended(
        tuple(Break(hour + 0.5, "kill-reply") for hour in range(24, 48))
    ),
    "a night, 0 to 8 h": Ended((Break(24, "restart", 8),), (24, 32)),
    "an evening, 14 to 22 h": Ended((Break(38, "kill", 8),), (38, 46)),
}
SWITCHES = {
    "paging stops": Turned("default", "paging", "false", "paging-ignored"),
    "truncation begins": Turned("default", "truncate", "100", "truncated-100"),
    "order turns to ending": Turned("default", "order", "ending", "ending"),
    "order turns to none": Turned("default", "order", "none", "none"),
    "refresh leaves out what ended": Turned("default", "ended", "omitted", "ended-omitted"),
    "refresh forgets after an hour": Turned("default", "recall", "3600", "recall-1h"),
    "batch shrinks to 10": Turned("default", "batch", "10", "batch-10"),
    "batch grows to 50": Turned("batch-10", "batch", "50", "default"),
    "price of buyouts is hidden": Turned("default", "ended_price", "last_bid", "price-hidden"),
}
_COMPARED = ("seen", "sales_known", "sales_right")


def ended(label: str, runs: Sequence[Row], whole: Sequence[Row]) -> dict[str, Any]:
    """A line: runs with the break and without it, by seed."""
    pairs = zip(runs, whole, strict=True)
    return {
        "label": label,
        "without": median(run["sales_known"] for run in whole),
        "known": median(run["sales_known"] for run in runs),
        "cost": DAYS * median(b["sales_known"] - a["sales_known"] for a, b in pairs),
        **_kept(runs),
    }


def turned(label: str, runs: Sequence[Row], always: Sequence[Row]) -> dict[str, Any]:
    """A line: runs with the switch, and of an upstream that was so all along, by seed."""
    told = [each for run in runs for each in run["switched"]]
    return {
        "label": label,
        "requests": _most([each["requests"] for each in told]),
        "able": _most([each["able"] for each in told]),
        "figures": {
            name: [median(run[name] for run in kind) for kind in (runs, always)]
            for name in _COMPARED
        },
        **_kept(runs),
    }


def _kept(runs: Sequence[Row]) -> dict[str, Any]:
    return {
        "found": min(run["found"] for run in runs),
        "retracted": max(run["retracted"] or 0.0 for run in runs),
        "violations": sum(run["violations"] for run in runs),
    }


def _most(counts: Sequence[int | None]) -> int | None:
    return None if None in counts else max(count for count in counts if count is not None)


Line = Callable[[str, Sequence[Row], Sequence[Row]], dict[str, Any]]
TABLES: dict[str, tuple[Mapping[str, Ended | Turned], Line]] = {
    "breaks": (BREAKS, ended),
    "switches": (SWITCHES, turned),
}
"""What is played, and what makes a line of it."""


def section(breaks: Sequence[Row], switches: Sequence[Row]) -> str:
    """Both tables."""
    head = ("ended by", "known without", "known", "costs", "flags found", "taken back, %", "missed")
    lines = [_row(head), _row(["---"] * len(head)), *map(_ended, breaks)]
    head = ("switch", "told after", "that could show it", "seen", "known", "right")
    head = (*head, "flags found", "taken back, %", "missed")
    more = [_row(head), _row(["---"] * len(head)), *map(_turned, switches)]
    return "\n".join([f"\n## {TITLE}\n{_NOTE}", *lines, _SWITCHED, *more])


def _ended(row: Row) -> str:
    missed = ["costs"] * (row["cost"] > LEFT) + _broken(row)
    figures = (f"{row[name]:.1f}" for name in ("without", "known"))
    return _row((row["label"], *figures, f"{row['cost']:.1f}", *_beside(row), ", ".join(missed)))


def _turned(row: Row) -> str:
    able = row["able"]
    figures = row["figures"]
    missed = ["told after"] * (able is None or able > SOON)
    missed += [name for name, (here, there) in figures.items() if here < there - NEAR]
    told = ("never" if row[name] is None else str(row[name]) for name in ("requests", "able"))
    pairs = (f"{here:.1f} ({there:.1f})" for here, there in figures.values())
    text = ", ".join(missed + _broken(row))
    return _row((row["label"], *told, *pairs, *_beside(row), text))


def _broken(row: Row) -> list[str]:
    return ["retracted"] * (row["retracted"] > 1) + ["violations"] * (row["violations"] > 0)


def _beside(row: Row) -> tuple[str, str]:
    return row["found"], f"{row['retracted']:.2f}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
