"""``python -m benches``: run every benchmark, then write docs/BENCHMARKS.md and its pictures.

With ``--smoke`` runs are short. Further arguments go to pytest; with any, the report is printed in
place of being written.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import orjson
import pytest
from benches.report import PICTURES, Report, render

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / ".benchmarks"
PARTS = (
    "parse",
    "load",
    "live",
    "cpu",
    "auth",
    "size",
    "memory",
    "startup",
    "cold",
    "history",
    "http",
    "market",
    "prices",
)
"""In the order of the report, as far as its requirements leave one open."""


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
        if arguments or code:  # a part of it is no report
            print(report.text)
        else:
            write(report, ROOT / "docs")
    return code


def write(report: Report, docs: Path) -> None:
    """Put the document into `docs`, and its pictures in place of those of an earlier run."""
    (docs / "BENCHMARKS.md").write_text(report.text)
    pictures = docs / PICTURES
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir()
    for name, svg in report.pictures.items():
        (pictures / name).write_text(svg)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
