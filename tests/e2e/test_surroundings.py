"""Where and how a command is started decides nothing: not whose code runs, not who can read."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.oracle import leaks, trial
from tests.support import decoys, product
from tests.support.product import Home, Run

from m26.cli import build
from m26.embedded import postgres, valkey

_SCRIPT = str(Path(sys.executable).with_name("m26"))
_CORE_BYTES = 1 << 20
_TOKEN, _PASSWORD = "CANARY-WEB-TOKEN-9b21f0c7d4", "CANARY-PGPASSWORD-51c0aa"
_ENDLESS = "embedded start"
_DRIVER = """
import os, sys
lines = eval(sys.stdin.read())
from m26.__main__ import main

codes = {}

def m26(*line):
    sys.argv = ["m26", *line]
    try:
        main()
    except SystemExit as ended:
        codes[" ".join(line)] = ended.code

m26("--version")
import ctypes, json, resource, signal

signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
for line, seconds in lines:
    signal.setitimer(signal.ITIMER_REAL, seconds)
    m26(*line)
signal.setitimer(signal.ITIMER_REAL, 0)

from m26.upstream.client import tls_context

PR_GET_DUMPABLE = 3
facts = {
    "codes": codes,
    "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
    "dumpable": ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0),
    "key_log": tls_context(legacy=False).keylog_filename,
}
with open(os.environ["FACTS"], "w") as file:
    json.dump(facts, file)
"""
"""Runs command lines as `main` does, one after the other, and imports nothing before the first."""


@dataclass(frozen=True, slots=True)
class Shell:
    """A shell that stands in a stranger's folder, with a umask of 0 and core files allowed."""

    home: Home
    decoys: decoys.Decoys
    run: Run

    def drive(self, *lines: tuple[list[str], float], folder: Path, **variables: str) -> Any:
        """What the driver found after running `lines`, each for so many seconds at the most."""
        driver = self.home.path.with_name("driver.py")
        driver.write_text(_DRIVER)
        facts = self.home.path.with_name("facts.json")
        facts.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, str(driver)],
            input=repr(lines).encode(),
            env={**self.home.environment, "FACTS": str(facts), **variables},
            cwd=folder,
            preexec_fn=_core_allowed,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return orjson.loads(facts.read_bytes()) if facts.exists() else {"died": done.stderr}


def _core_allowed() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    most = _CORE_BYTES if hard == resource.RLIM_INFINITY else min(hard, _CORE_BYTES)
    resource.setrlimit(resource.RLIMIT_CORE, (most, hard))
    os.umask(0)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """`m26 run`, the script, started where a stranger has left files, and at work or ended."""
    folder = tmp_path_factory.mktemp("surroundings")
    settings = {key.replace(".", "__"): value for key, value in product.LIVELY.items()}
    with product.home(folder / "home", web__token=_TOKEN, **settings) as home:
        home.variables["PGPASSWORD"] = _PASSWORD
        planted = decoys.plant(folder / "strange")
        path = f":.:{os.environ['PATH']}"
        with (folder / "home.err").open("wb") as stderr:
            process = subprocess.Popen(
                [_SCRIPT, "run"],
                env={**home.environment, "PATH": path},
                cwd=planted.folder,
                preexec_fn=_core_allowed,  # noqa: PLW1509 - nothing that a thread could hold
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        run = Run(home, process, folder / "home.out")
        try:
            while process.poll() is None and not run.url:
                try:
                    process.wait(0.05)
                except subprocess.TimeoutExpired:
                    continue
            yield Shell(home, planted, run)
        finally:
            run.kill()


def test_a_run_executes_nothing_of_the_working_folder(shell: Shell) -> None:
    assert shell.decoys.executed == []
    shell.run.grow()
    home = shell.home.path
    assert {_cwd_of(pid) for pid in _servers(shell)} == {
        home / "postgres" / "data",
        home / "valkey" / "data",
    }


def test_no_command_executes_anything_of_the_working_folder(shell: Shell, tmp_path: Path) -> None:
    """An empty entry of PYTHONPATH is the working folder, before the standard library."""
    before = decoys.loaded_by_the_interpreter(tmp_path)
    planted = decoys.plant(tmp_path / "strange", but={*before, "m26"})
    page = str(Path(__file__).parents[1] / "golden" / "page.json")
    lines = {
        "run": ["--for", "1s"],
        "tail": ["--from", "1", "--limit", "1"],
        "normalize": [page, "-o", str(tmp_path / "rows.csv")],
        "replay": [page, "--platform", "sim"],
        "sim": ["--size", "0"],
        "auth import": [str(shell.home.path / "sim" / "capture.har"), "--platform", "sim"],
        "auth login": ["--print-url"],
        "auth forget": ["--account", "nobody"],
        "auth rekey": ["--print-key"],
        "rejects show": ["1"],
        "rejects drop": ["1"],
        "journal export": [str(tmp_path / "pages.seg")],
        "embedded psql": ["-c", "SELECT 1"],
    }
    names = sorted(_commands(), key=_ENDLESS.__eq__)  # a process is interrupted but once
    commands = [
        ([*name.split(), *lines.get(name, [])], 1 if name == _ENDLESS else 20) for name in names
    ]
    facts = shell.drive(
        *commands, folder=planted.folder, PYTHONPATH=os.pathsep, PATH=f":{os.environ['PATH']}"
    )
    assert planted.executed == []
    assert {code for code in facts["codes"].values() if code not in range(8)} == {75, 143}, facts
    assert len(facts["codes"]) == 1 + len(commands)


def test_python_m_executes_nothing_of_the_working_folder_but_what_python_does(
    shell: Shell, tmp_path: Path
) -> None:
    """The interpreter looks there for the module m26 and its own; that nobody can take back."""
    before = decoys.loaded_by_the_interpreter(tmp_path)
    planted = decoys.plant(tmp_path / "strange", but={*before, "m26"})
    done = subprocess.run(
        [sys.executable, "-m", "m26", "auth", "status"],
        env=shell.home.environment,
        cwd=planted.folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert planted.executed == []
    assert b"access token" in done.stdout


def test_a_crash_leaves_no_core_and_its_children_may_leave_one(
    shell: Shell, tmp_path: Path
) -> None:
    facts = shell.drive(folder=tmp_path)
    assert facts == {"codes": {"--version": 0}, "core": 0, "dumpable": 0, "key_log": None}
    allowed = resource.prlimit(os.getpid(), resource.RLIMIT_CORE)[1]
    most = _CORE_BYTES if allowed == resource.RLIM_INFINITY else min(allowed, _CORE_BYTES)
    limits = {_core_limit_of(pid) for pid in _servers(shell)}
    assert limits == {most}
    assert _core_limit_of(shell.run.process.pid) == 0


def test_the_keys_of_connections_are_not_written_where_the_shell_says(
    shell: Shell, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    facts = shell.drive(folder=tmp_path, SSLKEYLOGFILE=str(keys))
    assert facts["key_log"] is None
    assert not keys.exists()


def test_what_is_in_a_home_is_its_owners_alone_under_any_umask(shell: Shell) -> None:
    assert leaks.exposed(shell.home.path) == {}
    assert (shell.home.path / "sim" / "ledger.db").exists()
    assert (shell.home.path / "valkey" / "server.log").exists()


def test_no_process_shows_a_secret_and_no_child_was_given_one(shell: Shell) -> None:
    shell.run.grow()
    seen = list(leaks.processes(shell.run.process.pid))
    assert {int(place.split()[-1]) for place, _ in seen} > set(_servers(shell))
    assert sum(b"m26\0sim" in data for _, data in seen) == 1
    trial.require(leaks.judge_leaks([_TOKEN, _PASSWORD], seen))


def _commands() -> list[str]:
    app = build()
    groups = {name: app[name] for name in app if not name.startswith("-")}
    return [
        f"{name} {each}".removesuffix(" ")
        for name, group in groups.items()
        for each in ([""] if group.default_command else [n for n in group if n[0] != "-"])
    ]


def _servers(shell: Shell) -> list[int]:
    home = shell.home.path
    return [p.pid for make in (postgres.server, valkey.server) if (p := make(home).process())]


def _cwd_of(pid: int) -> Path:
    return Path(f"/proc/{pid}/cwd").readlink()


def _core_limit_of(pid: int) -> int:
    text = Path(f"/proc/{pid}/limits").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Max core file size"))
    soft = line.split()[4]
    return resource.RLIM_INFINITY if soft == "unlimited" else int(soft)
