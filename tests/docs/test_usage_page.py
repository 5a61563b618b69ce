"""docs/USAGE.md against the command tree: every command, its options, an executed example."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from cyclopts import App
from tests.docs.pages import DOCS, blocks, section

from m26.cli import build

PAGE = DOCS / "USAGE.md"
SHARED = {"--json", "--home", "--debug", "--help", "--version"}


def walk(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, App]]:
    for name in app:
        if not name.startswith("-"):
            command = app[name]
            if command.default_command is not None:
                yield " ".join((*path, name)), command
            yield from walk(command, (*path, name))


COMMANDS = dict(walk(build()))


def test_the_page_has_a_section_for_each_command_and_no_other() -> None:
    told = re.findall(r"^## m26 (.+)$", PAGE.read_text(), re.MULTILINE)
    assert sorted(told) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_its_options_and_an_executed_example(name: str) -> None:
    text = section(PAGE, f"m26 {name}")
    arguments = COMMANDS[name].assemble_argument_collection()
    options = {n for a in arguments for n in a.names if n.startswith("-") and "--empty" not in n}
    options -= {n for n in options if "." in n or n.startswith("--options")}
    assert {option for option in options - SHARED if f"`{option}" not in text} == set()
    examples = [b for b in blocks(PAGE) if b.heading == f"m26 {name}" and b.language == "bash"]
    assert any(f"m26 {name}" in block.text and not block.excuse for block in examples)
    assert "--json" in text
