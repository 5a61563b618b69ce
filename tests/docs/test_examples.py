"""Every code block of the pages is carried out, in order, the way a reader would."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs import shell
from tests.docs.pages import DOCS, PAGES, ROOT, blocks

EXECUTED = [ROOT / "README.md", *(DOCS / f"{n}.md" for n in ("QUICK_START", "USAGE", "OPERATIONS"))]
ELSEWHERE = [DOCS / "BACKUP.md", DOCS / "INSTALL.md"]
"""Pages whose blocks need more than a reader, and are carried out by tests of their own."""
BEGINNINGS = EXECUTED[:2]
"""Pages that begin before `m26` is found; readers of the others come from one of them."""
RUNNABLE = ("bash", "python")


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.stem)
def test_a_reader_can_follow_the_page(page: Path, tmp_path: Path) -> None:
    reader = shell.Reader(tmp_path)
    if page not in BEGINNINGS:
        reader.follow(next(b for b in blocks(BEGINNINGS[1]) if "export PATH" in b.text))
    shown = False  # whether samples belong to a block that was carried out
    for block in blocks(page):
        if block.language in RUNNABLE:
            shown = not block.excuse
        if shown and not block.excuse:
            reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_block_that_is_not_executed_says_why(page: Path) -> None:
    if page in EXECUTED + ELSEWHERE:
        excused = [b for b in blocks(page) if b.excuse]
        assert all(len(block.excuse.split()) > 3 for block in excused)
    else:  # nothing on other pages looks as if it were executed by this file
        assert not [str(b) for b in blocks(page) if b.language in RUNNABLE and not b.excuse]
