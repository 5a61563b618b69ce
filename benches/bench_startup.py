"""Start-up: what a person waits for before a command does anything."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

from benches import figures
from benches.bars import TIMES
from benches.figures import Figure
from pytest_benchmark.fixture import BenchmarkFixture

BARE = "python -c pass"
COMMANDS = {
    BARE: (("-c", "pass"), ""),
    "import m26": (("-c", "import m26"), ""),
    "m26 --help": (("-m", "m26", "--help"), "Usage: m26"),
    "m26 status --help": (("-m", "m26", "status", "--help"), "Usage: m26 status"),
}
BARS = {"m26 --help": 200.0}
"""Milliseconds at the most; the machine decides too, so they are reported and never a gate."""


def milliseconds(arguments: Sequence[str], *, says: str) -> float:
    started = time.perf_counter()
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    taken = 1e3 * (time.perf_counter() - started)
    assert says in done.stdout
    return taken


def test_commands_start_quickly(benchmark: BenchmarkFixture, rounds: int) -> None:
    times: dict[str, list[float]] = {what: [] for what in COMMANDS}

    def one_round() -> None:
        for what, (arguments, says) in COMMANDS.items():
            times[what].append(milliseconds(arguments, says=says))

    benchmark.pedantic(one_round, rounds=rounds, warmup_rounds=1)
    medians = {what: median(taken) for what, taken in times.items()}
    figures.note(
        benchmark,
        title="Start-up",
        note=f"Whole processes, {rounds + 1} of each, in turn; medians.",
        part="P8",
        figures=[
            *(_figure(what, took) for what, took in medians.items()),
            *(
                Figure(f"{what}, over {BARE}", took / medians[BARE], TIMES)
                for what, took in medians.items()
                if what != BARE
            ),
        ],
    )


def _figure(what: str, took: float) -> Figure:
    if what not in BARS:
        return Figure(what, took, "ms")
    return Figure(what, took, "ms", at_most=BARS[what], id="P8", against="a person's patience")
