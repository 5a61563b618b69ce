"""``python -m benches.prices``: price made markets, print how near the prices come."""

from __future__ import annotations

import argparse
import json
import shlex
import sys

from benches.prices.model import KINDS, made
from benches.prices.scores import Scores, score


def main() -> None:
    """Read the arguments, play, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="drift-wash")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--pricer", default=f"{sys.executable} -m m26 market value")
    given = parser.parse_args()
    scores = Scores()
    for seed in given.seeds.split(","):
        score(
            made(int(seed), KINDS[given.kind]),
            tuple(shlex.split(given.pricer)),
            given.moments,
            scores,
        )
    figures = {name: round(value, 2) for name, value in scores.figures().items()}
    print(
        json.dumps(
            {"kind": given.kind, "seeds": given.seeds} | figures, indent=1, ensure_ascii=False
        )
    )


if __name__ == "__main__":
    main()
