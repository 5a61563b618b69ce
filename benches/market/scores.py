"""Claims, counts and the truth in; the figures of a run out, in percent unless a name says else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from benches.market.claims import NOT_SAID, Claims, Counts, holds, showing
from benches.market.trace import CANCELLED, DAY, EXPIRED, SOLD, US, Trace
from benches.market.variants import Flags

HOUR = 3600 * US
BANDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.01)
ENOUGH = 200
"""Labels from which a band's gap counts for the worst."""

Figures = dict[str, Any]


def window(days: float) -> tuple[float, float]:
    """The days that are scored: the second one; of a shorter run, its middle third."""
    return (1.0, 2.0) if days >= 2 else (days / 3, 2 * days / 3)


def percent(part: float, whole: float) -> float | None:
    """None where there is nothing to take a share of."""
    return 100 * part / whole if whole else None


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of them do not exceed; None: there are none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))] if ranked else None


def score(
    trace: Trace,
    claims: Claims,
    counts: Counts,
    flags: Flags,
    scored: tuple[float, float],
    away: tuple[float, float] = (0, 0),
) -> Figures:
    """All figures of the days that are scored; `flags` are those that held at the end.

    What was listed and ended while nobody looked, `away` from and to which hour, is left out.
    """
    low, high = (trace.epoch + round(day * DAY) for day in scored)
    left, back = (trace.epoch + round(hour * HOUR) for hour in away)
    figures = _seen(trace, claims, low, high)
    posted: Sequence[int]
    posted = range(bisect_left(trace.posted, trace.epoch), bisect_left(trace.posted, high))
    posted = [i for i in posted if not left <= trace.posted[i] <= trace.ended[i] < back]
    ends = [i for i in posted if low <= trace.ended[i] < high]
    figures |= _Ends(trace, claims).figures(ends)
    figures |= calibration(trace, claims, ends)
    # chosen by what a planner knows: of what was due later, only early ends are among those above
    due = [i for i in posted if low <= trace.expires[i] < high]
    figures |= calibration(trace, claims, due, of="_due")
    figures |= _told(trace, claims)
    figures |= coverage(trace, counts.coverage, low, high)
    figures |= _notices(claims, counts, flags)
    figures |= _process(counts)
    return figures


def _seen(trace: Trace, claims: Claims, low: int, high: int) -> Figures:
    ages = {"seen": 0, "seen_10min": 600 * US, "seen_2h": 2 * HOUR}
    seen = dict.fromkeys(ages, 0)
    lived = dict.fromkeys(ages, 0)
    for i in range(bisect_left(trace.posted, low), bisect_left(trace.posted, high)):
        age = trace.ended[i] - trace.posted[i]
        for name, least in ages.items():
            if age >= least:
                lived[name] += 1
                seen[name] += claims.shown[i]
    return {name: percent(seen[name], lived[name]) for name in ages}


@dataclass(slots=True)
class _Ends:
    trace: Trace
    claims: Claims
    sales: int = 0
    sales_seen: int = 0
    known: int = 0
    ends_known: int = 0
    labelled: int = 0
    right: int = 0
    claimed: int = 0
    claimed_wrong: int = 0
    said: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(4), 0))
    false: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(4), 0))
    after: list[float] = field(default_factory=list)
    middles: list[float] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    held: int = 0
    high_said: int = 0
    high_wrong: int = 0
    known_by: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    sales_by: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})

    def figures(self, ends: Iterable[int]) -> Figures:
        """What is known of those ends."""
        count = 0
        for i in ends:
            count += 1
            self._end(i)
        hour = sum(wait <= 3600 for wait in self.after)
        minutes5 = sum(off <= 300 for off in self.middles)
        hour1 = sum(off <= 3600 for off in self.middles)
        return {
            "ends": count,
            "sales": self.sales,
            "sales_seen": percent(self.sales_seen, self.sales),
            "sales_known": percent(self.known, self.sales),
            "known_of_seen": percent(self.known, self.sales_seen),
            "known_bid": percent(self.known_by[1], self.sales_by[1]),
            "known_buyout": percent(self.known_by[2], self.sales_by[2]),
            "known_wrong": percent(self.claimed_wrong, self.claimed),
            "ends_known": percent(self.ends_known, count),
            "labelled": percent(self.labelled, count),
            "sales_right": percent(self.right, self.sales),
            "false_sold": percent(self.false[SOLD], self.said[SOLD]),
            "false_expired": percent(self.false[EXPIRED], self.said[EXPIRED]),
            "false_cancelled": percent(self.false[CANCELLED], self.said[CANCELLED]),
            "wrong_095": percent(self.high_wrong, self.high_said),
            "known_1h": percent(hour, self.sales),
            "time_to_know_p50": quantile(self.after, 0.5),
            "time_to_know_p90": quantile(self.after, 0.9),
            "time_5min": percent(minutes5, self.known),
            "time_1h": percent(hour1, self.known),
            "interval_said": percent(len(self.widths), self.known),
            "interval_right": percent(self.held, len(self.widths)),
            "interval_s": quantile(self.widths, 0.5),
            "interval_s_p90": quantile(self.widths, 0.9),
        }

    def _end(self, i: int) -> None:
        trace, claims = self.trace, self.claims
        true, said = trace.outcome[i], claims.outcome[i]
        sold = true == SOLD
        if sold:
            self.sales += 1
            self.sales_by[trace.via[i]] = self.sales_by.get(trace.via[i], 0) + 1
            self.sales_seen += claims.shown[i]
        if not said:
            return
        right = right_price(trace, claims, i)
        in_time = bool(claims.sure[i]) and claims.since[i] <= trace.expires[i] + DAY
        self.labelled += 1
        self.said[said] += 1
        self.false[said] += said != true
        self.right += sold and right
        self.ends_known += in_time and right
        if claims.confidence[i] >= 0.95:
            self.high_said += 1
            self.high_wrong += said != true
        if in_time and said == SOLD:
            self.claimed += 1
            self.claimed_wrong += not right
        if in_time and sold and right:
            self.known += 1
            self.known_by[trace.via[i]] += 1
            self._time(i)

    def _time(self, i: int) -> None:
        claims, ended = self.claims, self.trace.ended[i]
        self.after.append((claims.since[i] - ended) / US)
        low, high = claims.after[i], claims.before[i]
        if NOT_SAID not in (low, high):
            self.held += low <= ended <= high
            self.widths.append((high - low) / US)
            self.middles.append(abs((low + high) / 2 - ended) / US)


def right_price(trace: Trace, claims: Claims, i: int) -> bool:
    """Whether the standing label has the right outcome and, of a sale, the right price."""
    outcome = trace.outcome[i]
    if claims.outcome[i] != outcome:
        return False
    return outcome != SOLD or claims.price[i] == trace.final[i]


def calibration(trace: Trace, claims: Claims, ends: Sequence[int], *, of: str = "") -> Figures:
    """Confidence said against the share that was right; `of` is added to the figures' names.

    Of labels whose end no reply ever told, and of those that stood when a reply told it.
    """
    untold = [
        (i, claims.outcome[i], claims.price[i], claims.confidence[i], claims.price_confidence[i])
        for i in ends
        if claims.outcome[i] and not claims.told[i]
    ]
    scored = set(ends)
    before = [label for label in claims.foretold if label[0] in scored]
    gaps = _gaps(trace, untold, f"cal{of}", f"untold{of}")
    return gaps | _gaps(trace, before, f"cal_told{of}", f"before_told{of}")


def _gaps(
    trace: Trace, labels: Sequence[tuple[int, int, int, float, float]], name: str, kind: str
) -> Figures:
    outcome = _bands((sure, said == trace.outcome[i]) for i, said, _, sure, _ in labels)
    price = _bands(
        (sure, said == trace.outcome[i] and price == trace.final[i])
        for i, said, price, _, sure in labels
        if said == SOLD
    )
    figures: Figures = {f"calibration_{kind}": {"outcome": outcome, "price": price}}
    for of, bands in ((name, outcome), (f"{name}_price", price)):
        count = sum(band["labels"] for band in bands)
        weighted = sum(abs(band["gap"]) * band["labels"] for band in bands)
        wide = [abs(band["gap"]) for band in bands if band["labels"] >= ENOUGH]
        figures |= {f"{of}_mean": weighted / count if count else None}
        figures |= {f"{of}_worst": max(wide, default=None)}
    return figures


def _bands(labels: Iterable[tuple[float, bool]]) -> list[dict[str, Any]]:
    sums = [[0, 0.0, 0] for _ in BANDS[1:]]
    for said, right in labels:
        band = sums[next(n for n, most in enumerate(BANDS[1:]) if said < most)]
        band[0] += 1
        band[1] += said
        band[2] += right
    return [
        {
            "from": low,
            "to": min(high, 1.0),
            "labels": labels,
            "said": 100 * said / labels,
            "right": 100 * right / labels,
            "gap": 100 * (said - right) / labels,
        }
        for (low, high), (labels, said, right) in zip(pairwise(BANDS), sums, strict=True)
        if labels
    ]


def _told(trace: Trace, claims: Claims) -> Figures:
    """Labels against what was served: of all auctions, those scored or not."""
    contradicted = price = alive = 0
    for i in range(len(trace)):
        said, told = claims.outcome[i], claims.told[i]
        if said and told:
            contradicted += said != told
            price += said == told == SOLD and claims.price[i] != trace.final[i]
        before = claims.before[i]
        alive += bool(said) and before != NOT_SAID and before < claims.active_at[i]
    sure, back = sum(claims.ever_sure), sum(claims.taken_back)
    return {
        "told_contradicted": contradicted,
        "told_wrong_price": price,
        "ended_before_last_seen_alive": alive,
        "retracted": percent(back, sure),
        "labels": claims.labels,
        "evidence": dict(claims.evidence.most_common()),
    }


def coverage(trace: Trace, rows: Sequence[dict[str, int]], low: int, high: int) -> Figures:
    """Listed said against true, over the hours that lie in the days that are scored."""
    said = true = holding = hours = 0
    errors = []
    for row in rows:
        if low <= row["from"] and row["to"] <= high:
            first, past = (bisect_left(trace.posted, row[name]) for name in ("from", "to"))
            posted = past - first
            said, true, hours = said + row["listed"], true + posted, hours + 1
            holding += row["low"] <= posted <= row["high"]
            errors.append(abs(row["listed"] - posted) / max(1, posted))
    return {
        "coverage_hours": hours,
        "coverage_error": percent(said - true, true),
        "coverage_row_error": percent(sum(errors), hours),
        "coverage_holds": percent(holding, hours),
    }


def _notices(claims: Claims, counts: Counts, flags: Flags) -> Figures:
    found: dict[str, str] = {}
    for name, true in flags.told().items():
        said = claims.notices.get(name)
        right = said and holds(name, said[-1].value, true)
        found[name] = "right" if right else f"said {said[-1].value}" if said else "not said"
    switched: list[Figures] = []
    for name, value, sent in counts.switched:
        later = [each for each in claims.notices.get(name, []) if each.sent.total() >= sent.total()]
        first = next((each for each in later if holds(name, each.value, value)), None)
        since = first and first.sent - sent
        switched.append(
            {
                "flag": name,
                "value": value,
                "requests": None if since is None else since.total(),
                "able": None if since is None else sum(since[kind] for kind in showing(name)),
            }
        )
    return {
        "found": f"{sum(text == 'right' for text in found.values())}/{len(found)}",
        "not_found": {name: text for name, text in found.items() if text != "right"},
        "notices": sum(map(len, claims.notices.values())),
        "switched": switched,
    }


def _process(counts: Counts) -> Figures:
    decide = [1000 * each for each in counts.decide]
    cpu = [1000 * each for each in counts.decide_cpu]
    return {
        "violations": counts.violations.total(),
        "violations_by_kind": dict(counts.violations),
        "requests": dict(counts.requests),
        "why": dict(counts.why.most_common()),
        "decide_ms_mean": sum(decide) / len(decide) if decide else None,
        "decide_ms_p50": quantile(decide, 0.5),
        "decide_ms_p99": quantile(decide, 0.99),
        "decide_ms_max": max(decide, default=None),
        "decide_cpu_ms_p50": quantile(cpu, 0.5),
        "decide_cpu_ms_p99": quantile(cpu, 0.99),
        "peak_mb": counts.peak_mb,
        "home_mb": counts.home_mb,
        "planner_cpu_s": counts.cpu_s,
        "wall_s": counts.wall_s,
        "lives": counts.lives,
        "ended": counts.ended or None,
    }
