"""What a command imports before it works: the start is quick because of what it leaves out."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import m26

NETWORK = {"asyncpg", "httpx", "redis", "starlette", "uvicorn", "ssl"}
SLOW = {*NETWORK, "anyio", "asyncio", "cryptography", "m26._native", "pydantic", "structlog"}


def loaded(code: str, *arguments: str) -> set[str]:
    """The modules of a process that ran `code`."""
    ending = "\nimport sys; sys.stderr.write('\\n'.join(sys.modules))"
    command = [sys.executable, "-c", code + ending, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stderr.splitlines())


def loaded_by_command(*arguments: str, code: int = 0) -> set[str]:
    """The modules of a process that ran one command line."""
    return loaded(
        "import sys; from m26.cli import run_command\n"
        f"code = run_command(sys.argv[1:]); assert code == {code}, code",
        *arguments,
    )


def test_the_list_of_commands_imports_none_of_their_code() -> None:
    modules = loaded_by_command("--help")

    assert modules.isdisjoint({*SLOW, "markdown_it", "orjson", "pygments", "m26.redaction"})
    ours = {name for name in modules if name.startswith("m26")}
    always = {"errors", "printable", "signals", "cli", "cli.output", "cli.streams"}
    assert ours == {"m26", *(f"m26.{name}" for name in always)}


@pytest.mark.parametrize(
    "command", ["run", "status", "doctor", "normalize", "replay", "auth login", "db migrate"]
)
def test_help_of_a_command_imports_nothing_that_it_works_with(command: str) -> None:
    assert loaded_by_command(*command.split(), "--help").isdisjoint(SLOW - {"anyio", "asyncio"})


def test_commands_that_set_up_no_logging_import_nothing_that_logs(tmp_path: Path) -> None:
    page = Path(__file__).parents[1] / "golden" / "page.json"
    rows = tmp_path / "rows.ndjson"
    home = ("--home", str(tmp_path))
    for arguments, code in (
        (("status",), 1),
        (("resume",), 0),
        (("config", "show"), 0),
        (("normalize", str(page), "-o", str(rows)), 0),
    ):
        modules = loaded_by_command(*arguments, *home, code=code)
        assert modules.isdisjoint({*NETWORK, "structlog", "asyncio"}), arguments
    assert rows.stat().st_size


def test_who_only_asks_the_database_loads_nothing_of_a_run(tmp_path: Path) -> None:
    modules = loaded_by_command("db", "status", "--home", str(tmp_path / "home"))

    assert modules.isdisjoint({"httpx", "redis", "starlette", "uvicorn"})
    ours = {name for name in modules if name.split(".")[0] == "m26"}
    stages = {name.split(".")[1] for name in ours if "." in name}
    assert stages.isdisjoint({"auth", "collect", "limits", "upstream", "web", "publish", "sim"})
    assert len(ours) <= 58, sorted(ours)


def test_the_library_imports_a_name_when_it_is_asked_for() -> None:
    modules = loaded("import m26")
    assert {name for name in modules if name.startswith("m26")} == {"m26"}
    assert modules.isdisjoint(SLOW)

    modules = loaded("from m26 import normalize, peek, read_captures")
    assert modules.isdisjoint(NETWORK)
    assert "m26._native" in modules


def test_names_come_from_where_type_checkers_see_them() -> None:
    tree = ast.parse(Path(m26.__file__).read_text("utf-8"))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(seen) == m26.__all__
    for name, module in seen.items():
        assert getattr(m26, name) is getattr(sys.modules[str(module)], name)


def test_the_library_is_a_module_like_any_other() -> None:
    assert set(m26.__all__) <= set(dir(m26))
    assert not hasattr(m26, "nothing")
    everything: dict[str, object] = {}
    exec("from m26 import *", everything)
    assert set(m26.__all__) <= set(everything)
    assert pickle.loads(pickle.dumps(m26.normalize)) is m26.normalize
