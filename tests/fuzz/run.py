"""A target and a seed in; how a run went out, or the first input that broke a rule, saved."""

from __future__ import annotations

import hashlib
import math
import random
import resource
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.fuzz.mutate import Mutator
from tests.fuzz.targets import Target

_SLOW = 10.0
"""Seconds of CPU time for one input of 512 KB at the most; usually it is a tenth."""
_MEMORY = 400 * 1024
"""KiB that a run may grow by."""
_FAILURES = Path("target/fuzz")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went."""

    inputs: int
    kinds: int
    """Different outcomes that were seen."""
    slowest: float
    """Seconds of CPU time."""


class FoundError(Exception):
    """An input that breaks a rule; it is saved."""


def fuzz(
    name: str,
    target: Target,
    *,
    seconds: float = math.inf,
    most: int | None = None,
    seed: int,
    folder: Path = _FAILURES,
    slow: float = _SLOW,
) -> Outcome:
    """Run a target on its seeds, then on what mutation makes of them.

    Args:
        name: of the target.
        target: what is run.
        seconds: for how long.
        most: how many inputs at the most, when that comes first; the seeds are run in any case.
        seed: of all that is drawn by lot.
        folder: where an input goes that breaks a rule.
        slow: seconds of CPU time that no input may take.

    Raises:
        FoundError: a rule was broken.
    """
    mutator = Mutator(random.Random(seed), target.seeds(), target.change)
    seen: dict[object, None] = {}
    inputs, slowest, before = 0, 0.0, _peak()
    end = time.monotonic() + seconds
    waiting = list(target.seeds())
    signal.signal(signal.SIGVTALRM, _too_slow)
    while waiting or (time.monotonic() < end and (most is None or inputs < most)):
        data = waiting.pop() if waiting else mutator.next()
        began = time.process_time()
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, slow)
            kind = repr(target.run(data))
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            assert _peak() - before < _MEMORY, "memory grew"
        except Exception as error:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            path = _saved(folder, name, data)
            raise FoundError(
                f"{name}: {type(error).__name__} on {path} ({len(data)} bytes, seed {seed}); "
                f"again: python -m tests.fuzz {name} --input {path}"
            ) from error
        inputs, slowest = inputs + 1, max(slowest, time.process_time() - began)
        if kind not in seen:
            seen[kind] = None
            mutator.keep(data)
    return Outcome(inputs, len(seen), slowest)


def _too_slow(*_: object) -> NoReturn:
    raise TimeoutError("time is not linear in the input")


def _saved(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
    path.write_bytes(data)
    return path


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
