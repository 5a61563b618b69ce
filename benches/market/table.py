"""Figures of a run in; one compact line out."""

from __future__ import annotations

from typing import Any

from benches.market.scores import Figures

_SHORT = {
    "seen": "seen",
    "seen_10min": "10m",
    "seen_2h": "2h",
    "sales_seen": "s_seen",
    "sales_known": "KNOWN",
    "sales_right": "right",
    "known_wrong": "wrong",
    "ends_known": "ends",
    "labelled": "labelled",
    "known_1h": "1h",
    "false_sold": "f_sold",
    "false_expired": "f_exp",
    "retracted": "retr",
    "interval_right": "int",
    "cal_mean": "cal",
    "cal_worst": "worst",
    "cal_price_worst": "p_worst",
    "cal_told_worst": "told_worst",
    "coverage_error": "cov",
    "coverage_holds": "holds",
}


def line(label: str, figures: Figures) -> str:
    """The figures that are looked at first."""
    parts = [f"{label:<20}"]
    parts += [f"{short} {_number(figures[name])}" for name, short in _SHORT.items()]
    parts.append(f"contra {figures['told_contradicted']}")
    parts.append(f"found {figures['found']} {_small(figures['not_found'])}".strip())
    parts.append(f"viol {figures['violations']} {_small(figures['violations_by_kind'])}".strip())
    parts.append(f"req {_small(figures['requests'])}")
    times = ("decide_cpu_ms_p50", "decide_cpu_ms_p99", "decide_ms_max")
    parts.append("ms " + "/".join(_number(figures[name]) for name in times))
    parts.append(f"{figures['peak_mb']:.0f} MB, home {figures['home_mb']:.1f} MB")
    parts.append(f"{figures['wall_s']:.0f} s")
    if figures["switched"]:
        parts.append(f"switched {figures['switched']}")
    if figures["ended"]:
        parts.append(f"ENDED: {figures['ended']} {figures.get('log', '')[-500:]}")
    return " · ".join(parts)


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _small(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
