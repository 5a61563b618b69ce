"""The house rules that a linter cannot hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from tests import prose

import m26

ROOT = Path(__file__).parents[2]
PYTHON = sorted((ROOT / "python" / "m26").rglob("*.py"))
RUST = sorted(p for p in (ROOT / "rust").rglob("*.rs") if "target" not in p.relative_to(ROOT).parts)
TESTS = sorted(path for name in ("tests", "benches") for path in (ROOT / name).rglob("*.py"))
NETWORK = {"h11", "httpx", "asyncpg", "redis", "starlette", "uvicorn"}


def test_what_is_installed_is_what_was_locked() -> None:
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", locked("dev"), re.MULTILINE)
    names = {"anyio", "asyncpg", "httpx", "hiredis", "maturin", "orjson", "pytest"}
    names |= {"pytest-benchmark", "redis"}
    assert names <= {name for name, _ in pinned}
    for name, wanted in pinned:
        if name in names:
            assert version(name) == wanted, name


def test_the_runtime_lock_is_part_of_the_development_lock() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[A-Za-z0-9._-]+==\S+", locked(name), re.MULTILINE))

    assert pins("runtime") <= pins("dev")


def test_locks_are_hashed_and_name_no_host() -> None:
    for name in ("runtime", "dev"):
        text = locked(name)
        assert "://" not in text
        assert text.count("--hash=sha256:") > text.count("==")


def locked(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize("module", ["m26", "m26.offline", "m26.cli", "m26.config"])
def test_offline_use_loads_no_network_library(module: str) -> None:
    code = f"import sys, {module}; print(*{NETWORK!r}.intersection(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == ""


def test_the_library_face_exports_what_it_says() -> None:
    assert sorted(m26.__all__) == m26.__all__
    for name in m26.__all__:
        assert getattr(m26, name).__doc__, name


def test_the_typing_test_uses_every_public_name_and_the_package_says_that_it_is_typed() -> None:
    used = (ROOT / "tests" / "typing" / "public_api.py").read_text("utf-8")
    assert [name for name in m26.__all__ if not re.search(rf"\bm26\.{name}\b", used)] == []
    assert (ROOT / "python" / "m26" / "py.typed").is_file()


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT / "python" / "m26"))
        for path in PYTHON
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("os", "environ"), ("os", "getenv")}
    }
    about_processes = {"isolation.py", "children.py"}  # what ours keeps, and what children get
    driver = "addresses.py"  # what PostgreSQL's driver would read by itself
    assert readers <= {"config.py", driver, *about_processes}


def test_every_file_says_what_flows_in_and_out() -> None:
    for path in PYTHON:
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path
    for path in RUST:
        if "fuzz" not in path.parts:
            assert path.read_text("utf-8").startswith("//! "), path


def test_files_stay_readable_in_one_sitting() -> None:
    core = [path for path in RUST if path.is_relative_to(ROOT / "rust" / "src")]
    product = {*PYTHON, *core}
    stub = ROOT / "python" / "m26" / "_native.pyi"  # to look things up in
    for path in sorted({stub, *product, *RUST, *TESTS}):
        lines = path.read_text("utf-8").count("\n")
        most = 300 if path in product else 520 if path.suffix == ".pyi" else 400
        assert lines <= most, f"{path}: {lines} lines, two things?"
        assert path.stem not in {"utils", "helpers", "common", "base", "manager"}, path


def test_what_puts_the_stages_together_reads_in_one_screen() -> None:
    for path in PYTHON:
        if path.parent.name == "app":
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = (node.end_lineno or 0) - node.lineno + 1
                    assert lines <= 60, f"{path}: {node.name} has {lines} lines"


def test_no_error_is_swallowed_without_a_word() -> None:
    for path in PYTHON:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                silent = all(isinstance(child, ast.Pass) for child in node.body)
                assert not silent, f"{path}:{node.lineno}"


def test_log_events_are_an_area_and_a_fact() -> None:
    levels = {"debug", "info", "warning", "error", "exception"}
    for path in PYTHON:
        if path.name == "addon.py":  # it runs inside mitmproxy, whose log has sentences
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in levels
                and ast.unparse(node.func.value).rpartition(".")[2].lstrip("_") == "log"
                and isinstance(name := node.args[0], ast.Constant)
            ):
                event = str(name.value)
                assert re.fullmatch(r"[a-z]+\.[a-z_]+", event), f"{path}:{node.lineno}: {event}"


def test_pyo3_is_named_in_one_place_only() -> None:
    named = [path for path in RUST if "pyo3" in path.read_text("utf-8")]
    places = {path.relative_to(ROOT / "rust" / "src").parts[0] for path in named}
    assert places == {"python"}


def test_the_makefile_and_ci_name_each_other_only_by_target() -> None:
    commands = (ROOT / ".ci" / "run").read_text("utf-8").split("cd ")[1].splitlines()[1:]
    assert [line.split()[0] for line in commands if line] == ["make"] * 4


def test_the_forge_and_the_hooks_call_what_a_contributor_calls() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    steps = re.findall(r"^ +run: (.+)$", workflow, re.MULTILINE)
    assert [step for step in steps if "apt-get install" not in step] == [".ci/run"]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    entries = re.findall(r"^ +entry: (.+)$", hooks, re.MULTILINE)
    assert entries
    assert all(re.fullmatch(r"make [a-z-]+", entry) for entry in entries)


def test_wide_prose_is_found_and_what_cannot_be_broken_is_not() -> None:
    words = "word " * 30
    page = (
        f"{words}\n\n- {words}\n\n| {words} |\n\n# {words}\n\n```\n{words}\n```\n`{words}`\n{words}"
    )
    assert list(prose.wide(page)) == [1, 3, 13]
    assert list(prose.wide(f"[{words}](page.md)\n* `{words}`\nshort")) == []


def test_no_group_of_a_pattern_is_possessive() -> None:
    """Python before 3.11.5 matches one wrongly: what ought to be masked was not."""
    for path in PYTHON:
        found = re.search(r"\)(?:[*+?]|\{[\d,]+\})\+|\(\?>", path.read_text("utf-8"))
        assert found is None, f"{path}: {found}"
