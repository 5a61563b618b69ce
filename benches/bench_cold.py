"""Cold start: a home that does not exist yet, to the first committed row of ``m26 run``."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from benches import figures
from benches.figures import Figure
from pytest_benchmark.fixture import BenchmarkFixture
from tests.support import product
from tests.support.product import Home


def test_a_cold_run_stores_soon(benchmark: BenchmarkFixture, tmp_path: Path, smoke: bool) -> None:
    cold: list[float] = []
    serving: list[float] = []
    warm: list[float] = []

    def one_round() -> None:
        with product.home(tmp_path / f"home{len(cold)}", profile="sim") as home:
            serves, stores = first_row(home)
            serving.append(serves)
            cold.append(stores)
            if not smoke:
                warm.append(first_row(home)[1])

    benchmark.pedantic(one_round, rounds=1 if smoke else 5)
    again = [Figure("the second start in the same home", median(warm), "s")] if warm else []
    figures.note(
        benchmark,
        title="Start to the first committed row",
        note=f"`m26 run` as a whole process against the built-in simulator, median of {len(cold)}: "
        "embedded servers are started, and, in a home that is not there yet, made. Asked every "
        "50 ms, over HTTP, how many events are committed.",
        figures=[
            Figure(
                "cold start to the first committed row",
                median(cold),
                "s",
                at_most=5,
                id="P8",
                against="a home that is not there yet, initdb included",
            ),
            Figure("cold start until it serves", median(serving), "s"),
            *again,
        ],
    )


def first_row(home: Home) -> tuple[float, float]:
    """Seconds from the start of a run until it serves, and until it has committed an event."""
    started = time.monotonic()
    with home.running() as run:
        serves = time.monotonic() - started
        run.until(lambda: run.events)
        stores = time.monotonic() - started
        run.end()
    return serves, stores
