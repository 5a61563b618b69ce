"""``python -m benches``: run every benchmark, then write docs/BENCHMARKS.md.

With ``--smoke`` runs are short, and the report is printed in place of being written. Further
arguments go to pytest.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import pytest
from benches.report import render

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".benchmarks"
PARTS = ("parse", "load", "live", "auth", "startup")
"""In the order of the report."""


def main(arguments: list[str]) -> int:
    """Run; pytest's exit code."""
    smoke = "--smoke" in arguments
    KEPT.mkdir(exist_ok=True)
    figures = KEPT / ("smoke.json" if smoke else "last.json")
    figures.unlink(missing_ok=True)
    files = [str(ROOT / "benches" / f"bench_{part}.py") for part in PARTS]
    options = ["--verbose", "--benchmark-quiet", f"--benchmark-json={figures}"]
    code = int(pytest.main([*files, *options, *arguments]))
    if figures.exists() and figures.stat().st_size:
        report = render(orjson.loads(figures.read_bytes()))
        if smoke or code:
            print(report)
        else:
            (ROOT / "docs" / "BENCHMARKS.md").write_text(report + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
