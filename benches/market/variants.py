"""How an upstream may behave, and the named variants that planners are played in."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

ORDERS = ("newest", "ending", "none", "random")
MINUTE, HOUR = 60, 3600
NEVER_SHOWN = ("loss",)
"""Behaviour that no notice tells."""


@dataclass(frozen=True, slots=True)
class Flags:
    """How the upstream behaves; times in s."""

    order: str = "newest"
    paging: bool = True
    page: int = 100
    truncate: int = 0
    ended: str = "full"
    batch: int = 50
    visible: float = 0
    recall: float | None = None
    ended_price: str = "final"
    loss: float = 0.0

    def told(self) -> dict[str, Any]:
        """The flags as right notices give them."""
        true = {field.name: getattr(self, field.name) for field in fields(self)}
        true["visible"] = self.visible > 0
        return {name: value for name, value in true.items() if name not in NEVER_SHOWN}


@dataclass(frozen=True, slots=True)
class Variant:
    """A market's size, the budget, and the upstream's behaviour."""

    flags: Flags = Flags()
    per_day: int = 100_000
    requests: int = 4000
    per_minute: int = 6


VARIANTS = {
    "default": Variant(),
    "paging-ignored": Variant(Flags(paging=False)),
    "truncated-100": Variant(Flags(truncate=100)),
    "truncated-1000": Variant(Flags(truncate=1000)),
    "ending": Variant(Flags(order="ending")),
    "none": Variant(Flags(order="none")),
    "random": Variant(Flags(order="random")),
    "ended-omitted": Variant(Flags(ended="omitted")),
    "ended-error": Variant(Flags(ended="error")),
    "visible-15min": Variant(Flags(visible=15 * MINUTE)),
    "ending-omitted": Variant(Flags(order="ending", ended="omitted")),
    "ending-no-paging": Variant(Flags(order="ending", paging=False)),
    "recall-1h": Variant(Flags(recall=HOUR)),
    "recall-6min": Variant(Flags(recall=6 * MINUTE)),
    "recall-24h": Variant(Flags(recall=24 * HOUR)),
    "price-hidden": Variant(Flags(ended_price="last_bid")),
    "loss-10": Variant(Flags(loss=0.1)),
    "20k": Variant(per_day=20_000),
    "300k": Variant(per_day=300_000),
    "1m": Variant(per_day=1_000_000),
    "1000-requests": Variant(requests=1000),
    "8000-requests": Variant(requests=8000),
    "batch-10": Variant(Flags(batch=10)),
    "batch-100": Variant(Flags(batch=100)),
}


def with_flag(flags: Flags, name: str, value: str) -> Flags:
    """`flags` with one set from its text (`true`, `null`, 10, `ending`); ValueError if unknown."""
    kinds = {field.name: field.default for field in fields(Flags)}
    if name not in kinds:
        raise ValueError(f"no flag {name}: there are {', '.join(kinds)}")
    if name == "order" and value not in ORDERS:
        raise ValueError(f"no order {value}: there are {', '.join(ORDERS)}")
    if name == "recall":
        return replace(flags, recall=None if value in ("null", "none") else float(value))
    default = kinds[name]
    if isinstance(default, bool):
        return replace(flags, **{name: value in ("true", "on", "yes", "1")})
    return replace(flags, **{name: type(default)(value)})
