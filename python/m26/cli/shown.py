"""Figures of a market in; what people read of them, as texts and rows, out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from m26.cli.output import duration, text
from m26.clock import unix

if TYPE_CHECKING:
    from m26.market.rows import PriceView

_BARS = "▁▂▃▄▅▆▇█"
_FEW = 3
"""Sales below which the range is told first."""


def spark(values: Sequence[float | None]) -> str:
    """A line of bars, the lowest for the least; a gap where there is no value."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, apart = min(known), max(known) - min(known)
    steps = len(_BARS) - 1
    return "".join(
        " " if value is None else _BARS[round((value - low) / apart * steps) if apart else 0]
        for value in values
    )


def moment(time: str | None) -> str:
    """A moment to the second."""
    return "-" if time is None else text(datetime.fromisoformat(time))


def ago(seconds: float | None) -> str:
    """How long ago, in one unit: ``12 s``, ``3 h``."""
    return "-" if seconds is None else _brief(seconds)


def until(now: str | None, then: str | None) -> str:
    """The time between two, in one unit."""
    return "-" if now is None or then is None else _brief(abs(unix(then) - unix(now)))


def _brief(seconds: float) -> str:
    return " ".join(duration(seconds).split()[:2])


def count(number: int | None, one: str, many: str = "") -> str:
    """So many of something."""
    return f"{number or 0:,} {one if number == 1 else many or one + 's'}"


def change(ratio: float | None) -> str:
    """A change in percent, with its sign."""
    return "-" if ratio is None else f"{ratio:+.1%}"


def seen(price: PriceView, *, word: str = "") -> str:
    """How long ago the floor was seen, and whether that is too long."""
    if price["floor"] is None:
        return "-"
    return f"{ago(price['floor_age'])}{word}" + (", stale" if price["floor_stale"] else "")


def fair(price: PriceView) -> str:
    """The fair price and its range; of few sales the range first."""
    if price["fair"] is None:
        return "-"
    span = f"{price['fair_low']:,}-{price['fair_high']:,}"
    if (price["n"] or 0) < _FEW:
        return f"{span} ({price['fair']:,})"
    return f"{price['fair']:,} ({span})"
