from __future__ import annotations

import ast
import os
import stat
from pathlib import Path

import pytest

import m26
from m26 import children, isolation

pytestmark = pytest.mark.anyio
_STARTS = {
    "subprocess": {"Popen", "run", "call", "check_call", "check_output", "getoutput"},
    "anyio": {"open_process", "run_process"},
    "asyncio": {"create_subprocess_exec", "create_subprocess_shell"},
    "os": {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"},
}


def test_one_file_starts_every_program() -> None:
    package = Path(m26.__file__).parent
    starting = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and _starts(node.func)
    }
    assert starting == {"children.py"}


def _starts(called: ast.expr) -> bool:
    if not (isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)):
        return False
    module, name = called.value.id, called.attr
    replaced = module == "os" and name.startswith(("exec", "spawn"))
    return replaced or name in _STARTS.get(module, ())


@pytest.mark.parametrize("entry", ["", ".", "bin", "./bin"])
def test_a_program_is_not_looked_up_in_the_working_folder(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in (tmp_path, tmp_path / "bin"):
        place.mkdir(exist_ok=True)
        (place / "pg_config").write_text("#!/bin/sh\n")
        (place / "pg_config").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{entry}:/nonexistent:{entry}")
    assert children.look_up("pg_config") is None
    monkeypatch.setenv("PATH", f"{entry}:{tmp_path / 'bin'}")
    assert children.look_up("pg_config") == tmp_path / "bin" / "pg_config"


def test_a_program_that_is_asked_sees_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("M26_VAULT__KEY", "PGPASSWORD", "LD_LIBRARY_PATH", "BASH_ENV", "ENV"):
        monkeypatch.setenv(name, "/CANARY/nothing")
    seen = children.ask(["sh", "-c", "pwd && exec env"])
    assert seen is not None
    assert sorted(line.partition("=")[0] for line in seen.split()) == [
        *("/", "LC_ALL", "PATH", "PWD", "TZ")
    ]
    assert children.ask(["/nonexistent/program"]) is None
    assert children.ask(["false"]) is None


async def test_m26_started_once_more_stands_in_its_home_and_sees_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, strange, own = (tmp_path / name for name in ("home", "strange", "own"))
    for folder in (home, strange, own):
        folder.mkdir()
    (strange / "sitecustomize.py").write_text("raise SystemExit('a stranger has run')")
    note = "import os, sys; print(os.getcwd(), sys.flags.safe_path, *os.environ.items(), sep='\\n')"
    (own / "sitecustomize.py").write_text(note)
    monkeypatch.chdir(strange)
    for name in ("M26_VAULT__KEY", "PGPASSWORD", "PYTHONSTARTUP", "PYTHONINSPECT", "LD_AUDIT"):
        monkeypatch.setenv(name, "CANARY")
    monkeypatch.setenv("PYTHONPATH", f":.:{own}")
    monkeypatch.setenv("LD_LIBRARY_PATH", ":lib")
    with (tmp_path / "output").open("w+b") as output:
        async with await children.ourselves("--version", home=home, output=output) as child:
            assert await child.wait() == 0
        output.seek(0)
        folder, safe, *seen = output.read().decode().splitlines()
    assert (folder, safe) == (str(home), "True")
    assert f"('M26_HOME', '{home}')" in seen
    assert f"('PYTHONPATH', '{own}')" in seen
    names = {ast.literal_eval(line)[0] for line in seen if line.startswith("(")}
    assert names <= {
        *("M26_HOME", "PYTHONPATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE")
    }


async def test_a_shell_has_what_the_user_has_but_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("M26_VAULT__KEY", "PGSERVICEFILE", "PGPASSFILE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.setenv(name, "CANARY")
    monkeypatch.setenv("PAGER", "less")
    monkeypatch.chdir(tmp_path)
    async with await children.shell(["sh", "-c", "pwd > here; env > seen"]) as child:
        assert await child.wait() == 0
    seen = (tmp_path / "seen").read_text()
    assert "PAGER=less" in seen
    assert "CANARY" not in seen
    assert (tmp_path / "here").read_text().strip() == str(tmp_path)


async def test_what_a_program_writes_is_its_owners_alone(tmp_path: Path) -> None:
    asked = os.umask(0)
    try:
        command = ["sh", "-c", "cat > file"]
        await children.complete(command, folder=tmp_path, statement=b"it", user={})
    finally:
        os.umask(asked)
    assert (tmp_path / "file").read_text() == "it"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_libpq_s_variables_are_taken_out_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    isolation.forget_libpq()
    assert "PGHOST" not in os.environ
