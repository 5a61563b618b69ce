"""Start-up: what a person waits for before a command does anything."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median

from benches import figures
from benches.figures import Figure
from pytest_benchmark.fixture import BenchmarkFixture

HELP = (sys.executable, "-m", "m26", "--help")
BARE = (sys.executable, "-c", "pass")


def milliseconds(command: Sequence[str], *, says: str) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    taken = 1e3 * (time.perf_counter() - started)
    assert says in done.stdout
    return taken


def test_help_starts_quickly(benchmark: BenchmarkFixture, rounds: int) -> None:
    helps: list[float] = []
    bares: list[float] = []

    def one_round() -> None:
        bares.append(milliseconds(BARE, says=""))
        helps.append(milliseconds(HELP, says="Usage: m26"))

    benchmark.pedantic(one_round, rounds=rounds, warmup_rounds=1)
    figures.note(
        benchmark,
        title="Start-up",
        note=f"Whole processes, {rounds + 1} of each, in turn.",
        figures=[
            Figure("m26 --help, median", median(helps), "ms", at_most=200),
            Figure("python -c pass, median", median(bares), "ms"),
        ],
    )
