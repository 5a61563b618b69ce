"""The command: targets are fuzzed for a while; the first input that breaks a rule is saved."""

from __future__ import annotations

import argparse
import logging
import random
import sys
from pathlib import Path

import structlog
from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS


def main() -> int:
    """Fuzz from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", choices=sorted(TARGETS), help="default: each")
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=None, help="of all that is drawn by lot")
    parser.add_argument("--input", type=Path, help="run this one input alone")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if given.input is not None:
        if given.target is None:
            parser.error("--input needs its target")
        sys.stdout.write(f"{TARGETS[given.target].run(given.input.read_bytes())}\n")
        return 0
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**32)
    for name in (given.target,) if given.target else sorted(TARGETS):
        sys.stdout.write(f"== {name} (seed {seed})\n")
        sys.stdout.flush()
        done = fuzz(name, TARGETS[name], seconds=given.seconds, seed=seed)
        sys.stdout.write(
            f"{done.inputs} inputs, {done.kinds} kinds of outcome, slowest {done.slowest:.2f} s\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
