"""What ``m26 market`` prints with ``--json``, as types."""

from __future__ import annotations

from typing import Annotated, TypedDict

from m26.market.value import Value
from m26.models import Time


class ClaimsView(TypedDict):
    """Inferred outcomes of one rule and price band; shares of `asked`, 0 to 1."""

    platform: str
    evidence: str
    band: str
    asked: Annotated[int, "Outcomes that were proved right or wrong later; older ones count less."]
    said: float
    right: float
    price_said: float
    price_right: float
    applies_from: Time


class CalibrationView(TypedDict):
    """``m26 market calibration``."""

    items: list[ClaimsView]


class ValuesView(TypedDict):
    """``m26 market value``."""

    items: list[Value]
