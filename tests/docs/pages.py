"""Markdown pages: their code blocks, tables and headings, as tests need them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "examples" / "README.md"])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_RULE = re.compile(r"\|[|:\- ]+\|")
_EXCUSE = re.compile(r"<!-- not executed: (.+?) -->\n$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str
    excuse: str
    """Why it is not executed; empty when it is."""
    heading: str
    """The heading it stands under."""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = []
    for match in _FENCE.finditer(text):
        before = text[: match.start()]
        excuse = _EXCUSE.search(before)
        headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", before), re.MULTILINE)
        found.append(
            Block(
                page=page,
                line=before.count("\n") + 1,
                language=match[1],
                text=match[2],
                excuse=excuse[1] if excuse else "",
                heading=headings[-1] if headings else "",
            )
        )
    return found


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row, headers and rules left out."""
    lines = text.splitlines()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not _RULE.fullmatch(line) and not _RULE.fullmatch(below):
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            yield [cell.strip().replace("\\|", "|") for cell in cells]


def section(page: Path, heading: str) -> str:
    """The text under one heading, up to the next one of the same or a higher level."""
    text = page.read_text("utf-8")
    match = re.search(rf"^(#+) {re.escape(heading)}$", text, re.MULTILINE)
    assert match is not None, f"{page.name} has no heading {heading!r}"
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", _fences_blanked(rest), re.MULTILINE)
    return rest[: end.start()] if end else rest


def quoted(text: str) -> list[str]:
    """What stands between single backticks."""
    return re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    headings = re.findall(r"^#+ (.+)$", _fences_blanked(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def _fences_blanked(text: str) -> str:
    """The same text, same offsets, with comments in code blocks no longer looking like headings."""
    return _FENCE.sub(lambda m: re.sub(r"^#", " ", m[0], flags=re.MULTILINE), text)
