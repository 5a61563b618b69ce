"""Width of prose: `python -m tests.prose` names Markdown lines that are too wide, for `make lint`.

Python's comments and docstrings have ruff for it. Tables, code blocks, headings, links and code
spans are as wide as they must be.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIDTH = 120
EXEMPT = {"docs/BENCHMARKS.md"}  # `make bench` writes it
_FENCE = re.compile(r"\s*(?:```|~~~)")
_TABLE_OR_HEADING = re.compile(r"\s*[|#]")
_WHOLE = re.compile(r"`[^`]*`|\[[^\]]*\]\([^)]*\)")


def wide(text: str) -> Iterator[int]:
    """Numbers of the lines of prose that are too wide and could be broken."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            in_code = not in_code
        elif not in_code and len(line) > WIDTH and not _TABLE_OR_HEADING.match(line):
            # Behind a list's mark, one link or code span may go on to wherever it ends.
            words = _WHOLE.sub(lambda m: "x" * len(m[0]), line).lstrip(" -*").split(" ")
            if len(words) > 1:
                yield number


def main() -> int:
    """Name every wide line of the repository; 1 if there is one."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    pages = [p for p in done.stdout.splitlines() if p not in EXEMPT and (ROOT / p).exists()]
    places = [f"{page}:{n}" for page in pages for n in wide((ROOT / page).read_text("utf-8"))]
    sys.stderr.writelines(f"{place}: prose is wider than {WIDTH} columns\n" for place in places)
    return 1 if places else 0


if __name__ == "__main__":
    sys.exit(main())
