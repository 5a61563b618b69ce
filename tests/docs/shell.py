"""Code blocks of one page, run one after the other as a reader would: real shells, one home."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.docs.pages import Block
from tests.support import ports

_BIN = Path(sys.executable).parent
_EXAMPLE_PORT = "8126"
_BEHIND = re.compile(r"--for \d+s(?=.*&$)", re.MULTILINE)
"""A run that other commands of its block ask; on a busy machine they may take longer than it."""
_PATIENCE = 180


@dataclass(slots=True)
class Reader:
    """Someone who reads a page from top to bottom and types what it says.

    Args:
        folder: working folder; the home is in it.
    """

    folder: Path
    output: str = ""
    """What the last shell block printed, on both streams."""
    stdout: str = ""

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("M26_")}
        return {
            **kept,
            "PATH": f"{_BIN}{os.pathsep}{kept['PATH']}",
            "M26_HOME": str(self.folder / "home"),
            "M26_WEB__PORT": "0",
            "TERM": "dumb",
        }

    def follow(self, block: Block) -> None:
        """Carry out one block, or hold what it shows against what was printed last."""
        match block.language:
            case "bash":
                self._shell(block)
            case "python":
                self._python(block)
            case "json":
                self._shown_json(block)
            case "text":
                self._shown_text(block)
            case _:
                return

    def _shell(self, block: Block) -> None:
        with (
            ports.reserved() as port,  # a page names one port; a test takes a free one
            (self.folder / "stdout").open("w+") as out,
            (self.folder / "stderr").open("w+") as err,
        ):
            script = _waiting(block.text.replace(_EXAMPLE_PORT, str(port)))
            # Files, not pipes: what a block leaves in the background must not hold us up.
            done = subprocess.run(
                ["bash", "-eu", "-o", "pipefail", "-c", script],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                timeout=_PATIENCE,
                check=False,
            )
            out.seek(0)
            err.seek(0)
            self.stdout = out.read()
            self.output = self.stdout + err.read()
        assert done.returncode == 0, f"{block} ends with {done.returncode}:\n{self.output}"

    def _python(self, block: Block) -> None:
        before, home = Path.cwd(), self.environment["M26_HOME"]
        os.chdir(self.folder)
        os.environ["M26_HOME"] = home
        try:
            exec(compile(block.text, str(block), "exec"), {"__name__": "__example__"})
        finally:
            os.chdir(before)
            del os.environ["M26_HOME"]

    def _shown_text(self, block: Block) -> None:
        """Each line of the sample opens with a word that was really printed."""
        for line in block.text.splitlines():
            first = line.split()[:1]
            if first and first != ["…"]:
                assert first[0] in self.output, f"{block}: no {first[0]!r} in\n{self.output}"

    def _shown_json(self, block: Block) -> None:
        """Each member of the sample is really there, with a value of the same kind."""
        lines = [line for line in self.stdout.splitlines() if line.startswith(("{", "["))]
        assert lines, f"{block}: no JSON was printed:\n{self.output}"
        _within(json.loads(block.text), json.loads(lines[0]), str(block))


def _waiting(script: str) -> str:
    """The same, but a run in the background ends when the page waits for it, and not before."""
    if not _BEHIND.search(script):
        return script
    end = 'kill "$!" && { wait "$!" || test "$?" = 143; }  #'
    return re.sub(r"^wait\b", end, _BEHIND.sub("--for 1h", script), flags=re.MULTILINE)


def _within(sample: Any, real: Any, where: str) -> None:
    if isinstance(sample, dict):
        assert isinstance(real, dict), where
        for key, value in sample.items():
            assert key in real, f"{where}: there is no {key!r}, only {sorted(real)}"
            _within(value, real[key], f"{where}.{key}")
    elif isinstance(sample, list):
        assert isinstance(real, list), where
        for value, other in zip(sample, real, strict=False):
            _within(value, other, where)
    elif None not in (sample, real):
        kinds = (int, float) if isinstance(sample, int | float) else type(sample)
        assert isinstance(real, kinds), f"{where}: {sample!r} is {real!r}"
