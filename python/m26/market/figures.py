"""Facts of a market in; figures that follow from them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from m26.market.rows import IndexPointView


def index_points(moves: Iterable[Mapping[str, Any]]) -> list[IndexPointView]:
    """What a market did from bucket to bucket, with its index: 100 in the first one."""
    level, points = 100.0, []
    for number, move in enumerate(moves):
        level *= 1 + (move["change"] or 0 if number else 0)
        points.append({"bucket": move["bucket"], "index": round(level, 2), **move})
    return cast("list[IndexPointView]", points)
