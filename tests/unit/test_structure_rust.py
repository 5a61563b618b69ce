"""The Rust crate's layers can be read off its folders: who uses whom, and in which direction."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "rust" / "src"
LAYERS = (
    {"lib"},
    {"python"},
    {"infer"},
    {"batch", "plan"},
    {"reply", "history"},
    {"rows"},
    {"card"},
    {"json"},
    {"clock", "drift", "error", "market", "price"},
)
"""Folders, and files beside them. A higher line may use a lower one, those on one line never use
each other."""

Module = tuple[str, ...]
"""A module's path: ``("json", "scan")``; the crate itself is ``()``."""
Arrows = dict[str, set[str]]
"""The files that a file uses, by their places in the crate: ``json/scan``."""

LITERAL = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | r(\#*)".*?"\1 | "(?:\\.|[^"\\])*" | '(?:\\.[^']*|[^'\\])'""",
    re.DOTALL | re.VERBOSE,
)
"""Comments, strings and characters, in which nothing is used."""
TOKEN = re.compile(
    r"""\bmod\s+(?P<inline>\w+)\s*\{ | (?P<open>\{) | (?P<close>\})
    | \buse\s+(?P<tree>[^;]+); | (?P<path>(?:\b\w+\s*::\s*)+\w+)""",
    re.VERBOSE,
)


def test_no_file_uses_one_of_a_higher_layer_or_beside_its_own() -> None:
    assert upward(arrows(SOURCES)) == []


def test_no_files_use_each_other_in_a_circle() -> None:
    assert circle(arrows(SOURCES)) == []


def test_history_reads_no_json() -> None:
    found = arrows(SOURCES)
    assert [name for name in found if name.startswith("history/")]
    for name, used in found.items():
        if name.startswith("history/"):
            assert not [each for each in used if each.startswith("json")], name


def test_unsafe_code_stands_in_two_files() -> None:
    named = {
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.rs")
        if re.search(r"\bunsafe\b", code(path.read_text("utf-8")))
    }
    assert named == {"python/buffer.rs", "json/scan.rs"}


def arrows(sources: Path) -> Arrows:
    """Who uses whom. A module that is cut over several files below its folder counts as one file:
    its parts are one type's methods, which call each other.
    """
    modules = {module(path.relative_to(sources)): path for path in sources.rglob("*.rs")}
    found: Arrows = {}
    for here, path in modules.items():
        used = {named(each, modules) for each in paths(path.read_text("utf-8"), here, modules)}
        found.setdefault(place(here), set()).update(map(place, used))
    for name, used in found.items():
        used.discard(name)
    return found


def module(path: Path) -> Module:
    parts = path.with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib") else parts


def place(of: Module) -> str:
    return "/".join(of[:2]) or "lib"


def named(path: Module, modules: dict[Module, Path]) -> Module:
    """The module whose file holds what has this path."""
    while path not in modules:
        path = path[:-1]
    return path


def code(text: str) -> str:
    return LITERAL.sub(" ", text)


def paths(text: str, here: Module, modules: dict[Module, Path]) -> list[Module]:
    """The paths into the crate that a file names, in `use` or where it needs them."""
    scopes: list[str | None] = []
    found: list[Module] = []
    for token in TOKEN.finditer(code(text)):
        if token["close"]:
            scopes.pop()
        elif token["inline"] or token["open"]:
            scopes.append(token["inline"])
        else:
            inside = (*here, *filter(None, scopes))
            for path in [token["path"]] if token["path"] else leaves(token["tree"]):
                segments = tuple(segment.split(" as ")[0].strip() for segment in path.split("::"))
                found += absolute(segments, inside, modules)
    return found


def leaves(tree: str) -> list[str]:
    """``a::{b, c::{d, e}}`` as ``a::b``, ``a::c::d`` and ``a::c::e``."""
    head, brace, rest = tree.strip().partition("{")
    if not brace:
        return [head]
    found, depth, start = [], 0, 0
    body = rest[: rest.rindex("}")]
    for at, character in enumerate([*body, ","]):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            found += [head + leaf for leaf in leaves(body[start:at]) if leaf]
            start = at + 1
    return found


def absolute(path: Module, inside: Module, modules: dict[Module, Path]) -> list[Module]:
    """From the crate on; nothing if it leads out of the crate."""
    if path[0] == "crate":
        return [path[1:]]
    if path[0] in ("self", "super"):
        while path and path[0] in ("self", "super"):
            inside = inside[:-1] if path[0] == "super" else inside
            path = path[1:]
        return [(*inside, *path)]
    return [(*inside, *path)] if (*inside, path[0]) in modules else []


def upward(found: Arrows) -> list[str]:
    layer = {name: number for number, names in enumerate(LAYERS) for name in names}
    unknown = {top(name) for name in found} - layer.keys()
    assert not unknown, f"in which layer are {unknown}?"
    return [
        f"{name} uses {other}"
        for name, used in sorted(found.items())
        for other in sorted(used)
        if top(name) != top(other) and layer[top(other)] <= layer[top(name)]
    ]


def top(name: str) -> str:
    return name.partition("/")[0]


def circle(found: Arrows) -> list[str]:
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        return error.args[1]
    return []


MADE_UP = {
    "lib.rs": "pub mod batch;\npub mod card;",
    "batch.rs": """
        use crate::{card::card::Card, error::{self, Fault}};
        fn f() { crate::reply::peek::peek(b'{') }""",
    "error.rs": "//! See [`crate::batch::Batch`].\npub struct Fault;",
    "reply/mod.rs": "pub mod peek;",
    "reply/peek.rs": 'const A: &str = "crate::batch"; /* crate::batch::B */ const B: char = \'"\';',
    "history/mod.rs": "pub mod state;",
    "history/state.rs": "pub struct State<'a>(&'a str);",
    "card/mod.rs": "pub mod card;\nmod canon;\nmod shape;",
    "card/card.rs": "use super::canon::Canon;\nmod tests { use super::*; use crate::json::parse; }",
    "card/canon/mod.rs": "mod object;\nuse object::Open;\nuse crate::card::shape::Shape as S;",
    "card/canon/object.rs": "use super::Canon;",
    "card/shape.rs": "",
    "json/mod.rs": "pub mod parse;\npub use parse::Cursor;",
    "json/parse.rs": "use crate::error::Fault;",
}


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    for name, text in MADE_UP.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_what_a_file_uses_is_seen_in_every_spelling(made_up: Path) -> None:
    found = arrows(made_up)
    assert {name: used for name, used in found.items() if used} == {
        "batch": {"card/card", "error", "reply/peek"},
        "card/card": {"card/canon", "json/parse"},
        "card/canon": {"card/shape"},
        "json": {"json/parse"},
        "json/parse": {"error"},
    }
    assert (upward(found), circle(found)) == ([], [])


@pytest.mark.parametrize(
    ("file", "line", "arrow"),
    [
        ("card/card.rs", "use crate::batch::Page;", "card/card uses batch"),
        ("json/parse.rs", "use crate::{error::Fault, card::shape};", "json/parse uses card/shape"),
        ("json/parse.rs", "fn f() { super::super::batch::read() }", "json/parse uses batch"),
        ("error.rs", "mod tests { use super::super::json::parse::*; }", "error uses json/parse"),
        ("error.rs", "use crate::MAP;", "error uses lib"),
        ("reply/peek.rs", "use crate::history::state::State;", "reply/peek uses history/state"),
    ],
)
def test_an_arrow_upward_or_aside_is_found(made_up: Path, file: str, line: str, arrow: str) -> None:
    (made_up / file).write_text(line)
    assert upward(arrows(made_up)) == [arrow]


@pytest.mark.parametrize(
    ("file", "line", "files"),
    [
        ("card/shape.rs", "use super::card::Card;", {"card/card", "card/canon", "card/shape"}),
        ("card/canon/object.rs", "use crate::card::card::Card;", {"card/card", "card/canon"}),
        ("json/parse.rs", "use super::Cursor;", {"json", "json/parse"}),
    ],
)
def test_a_circle_is_found(made_up: Path, file: str, line: str, files: set[str]) -> None:
    (made_up / file).write_text(line)
    assert set(circle(arrows(made_up))) == files


def test_a_folder_in_no_layer_is_asked_about(made_up: Path) -> None:
    (made_up / "helpers.rs").write_text("")
    with pytest.raises(AssertionError, match="in which layer"):
        upward(arrows(made_up))
