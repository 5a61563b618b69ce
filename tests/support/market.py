"""Hand-made traces for the examiner of planners, and planners that say what a test wrote down."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.market.dialogue import Plan, Run
from benches.market.scores import Figures, score, window
from benches.market.trace import DAY, Trace, add
from benches.market.variants import Flags

EPOCH = 1_788_220_800
START = EPOCH * 1_000_000
HOUR = 3600
USUAL = Flags()
Line = dict[str, Any]

_SCRIPTED = """
import json, pathlib, sys
turns = json.loads(pathlib.Path(sys.argv[1]).read_text())
left = pathlib.Path(sys.argv[1] + ".left")
done = int(left.read_text()) if left.exists() else 0
with open(sys.argv[2], "a") as heard:
    for line in sys.stdin:
        heard.write(line)
        heard.flush()
        if json.loads(line)["type"] == "restart":
            break
        if done >= len(turns):
            break
        said = turns[done]
        done += 1
        left.write_text(str(done))
        for each in said:
            sys.stdout.write((each if isinstance(each, str) else json.dumps(each)) + "\\n")
        sys.stdout.flush()
        if any(isinstance(each, dict) and each.get("type") == "done" for each in said):
            break
"""
DONE: Line = {"type": "done", "coverage": []}


def traced(*auctions: Line) -> Trace:
    """A trace of auctions with the members that matter; the others have usual values."""
    trace = Trace({"schema": 1, "epoch": EPOCH, "seed": 1, "per_day": 10, "days": 3.0})
    for number, given in enumerate(auctions):
        posted = EPOCH + given.get("posted", DAY // 1_000_000 + 60 * number)
        expires = posted + given.get("duration", HOUR)
        outcome = given.get("outcome", "expired")
        via = given.get("via", "buyout" if outcome == "sold" else None)
        bids = [[EPOCH + at, price] for at, price in given.get("bids", ())]
        price = bids[-1][1] if via == "bid" else 2000
        add(
            trace,
            {
                "auction_id": given.get("id", 100 + 10 * number),
                "card_id": 7,
                "card_instance_id": 4_000_000 + number,
                "acquired_at": posted - 100,
                "posted_at": posted,
                "expires_at": expires,
                "start_price": 1000,
                "buyout_price": 2000,
                "median_price": 1500,
                "bids": bids,
                "outcome": outcome,
                "outcome_via": via,
                "final_price": price if outcome == "sold" else None,
                "ended_at": EPOCH + given["ended"] if "ended" in given else expires,
            },
        )
    return trace.checked()


def search(hours: float, offset: int = 0, **more: Any) -> Line:
    """A question for a page, sent so many hours after the start."""
    at = START + round(hours * HOUR * 1_000_000)
    return {"ask": "search", "offset": offset, "count": 100, "at": at, "why": "page"} | more


def refresh(hours: float, *ids: int, **more: Any) -> Line:
    """A question for auctions."""
    at = START + round(hours * HOUR * 1_000_000)
    return {"ask": "refresh", "ids": list(ids), "at": at, "why": "look"} | more


def sold(auction_id: int, price: int = 2000, confidence: float = 1.0, **more: Any) -> Line:
    """A label of a buyout."""
    label = {"auction_id": auction_id, "outcome": "sold", "outcome_via": "buyout"}
    label |= {"final_price": price, "evidence": "status", "confidence": confidence}
    return label | {"closed_after": None, "closed_before": None} | more


def expired(auction_id: int, confidence: float = 1.0, **more: Any) -> Line:
    """A label of an auction nobody took."""
    return sold(auction_id, confidence=confidence) | {
        "outcome": "expired",
        "outcome_via": None,
        "final_price": None,
        **more,
    }


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a run."""

    run: Run
    figures: Figures
    heard: list[Line]

    @property
    def broken(self) -> dict[str, int]:
        return dict(self.run.counts.violations)


def play(
    folder: Path, trace: Trace, *turns: list[Line | str], flags: Flags = USUAL, **plan: Any
) -> Played:
    """Play a planner that answers the first line it hears with the first turn, and so on."""
    script, heard = folder / "turns.json", folder / "heard.jsonl"
    script.write_text(json.dumps(turns))
    (folder / "scripted.py").write_text(_SCRIPTED)
    command = [sys.executable, str(folder / "scripted.py"), str(script), str(heard)]
    run = Run(trace, Plan(flags, **({"days": 3.0} | plan)), command, folder / "run")
    run.play()
    figures = score(trace, run.claims, run.counts, run.upstream.flags, window(run.plan.days))
    return Played(run, figures, [json.loads(line) for line in heard.read_text().splitlines()])
