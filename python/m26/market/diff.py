"""A market at two moments in; the cards whose offers are others than they were, out."""

from __future__ import annotations

from collections.abc import Iterable
from math import log
from typing import Literal, TypeAlias

from m26.market.rows import ChangeView, PriceView

Kind: TypeAlias = Literal["moved", "new", "offered", "gone"]


def changes(before: Iterable[PriceView], after: Iterable[PriceView]) -> list[ChangeView]:
    """Those whose floor moved farthest first, then new cards, then those offered again and gone."""
    known = {price["card_id"]: price for price in before}
    found = [change for price in after if (change := _change(known.get(price["card_id"]), price))]
    order = {"moved": 0, "new": 1, "offered": 2, "gone": 3}
    return sorted(found, key=lambda each: (order[each["kind"]], -_far(each), each["card_id"]))


def _change(before: PriceView | None, after: PriceView) -> ChangeView | None:
    was, is_now = None if before is None else before["floor"], after["floor"]
    kind: Kind
    if before is None:
        kind = "new"
    elif was == is_now:
        return None
    elif was is None:
        kind = "offered"
    elif is_now is None:
        kind = "gone"
    else:
        kind = "moved"
    return {
        "card_id": after["card_id"],
        "name": after["name"],
        "position": after["position"],
        "overall": after["overall"],
        "program": after["program"],
        "kind": kind,
        "floor_before": was,
        "floor": is_now,
        "change": round(is_now / was - 1, 4) if was and is_now else None,
        "asks_before": 0 if before is None else before["asks"],
        "asks": after["asks"],
        "last_sale_before": None if before is None else before["last_sale"],
        "last_sale": after["last_sale"],
        "fair_before": None if before is None else before["fair"],
        "fair": after["fair"],
    }


def _far(change: ChangeView) -> float:
    was, is_now = change["floor_before"], change["floor"]
    return abs(log(is_now / was)) if was and is_now else 0.0
