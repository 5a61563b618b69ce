"""Code blocks of one page, run one after the other as a reader would, in one bare terminal."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.docs.pages import Block
from tests.support import ports

_EXAMPLE_PORT = "8126"
_BEHIND = re.compile(r"--for \d+s(?=.*&$)", re.MULTILINE)
"""A run that other commands of its block ask; on a busy machine they may take longer than it."""
_PATIENCE = 180
_SYSTEM = "/usr/local/bin:/usr/bin:/bin"
_HOME = ".local/share/m26"
"""Where the pages say that the home is."""


@dataclass(slots=True)
class Reader:
    """Someone who reads a page from top to bottom and types what it says into one terminal.

    The terminal knows no setting of m26, nor anything else of ours; what a block exports is there
    for the next one. It begins in what stands for the checkout: with `.venv`, as `make setup`
    leaves it. Both checkout and user have names with a space and a letter outside ASCII.

    Args:
        folder: the machine; checkout and user's folder are in it.
    """

    folder: Path
    output: str = ""
    """What the last shell block printed, on both streams."""
    stdout: str = ""
    environment: dict[str, str] = field(init=False)
    checkout: Path = field(init=False)

    def __post_init__(self) -> None:
        self.checkout = self.folder / "my söurce" / "m26"
        user = self.folder / "a réader"
        for each in (self.checkout, user):
            each.mkdir(parents=True, exist_ok=True)
        (self.checkout / ".venv").symlink_to(sys.prefix)
        self.environment = {"HOME": str(user), "PATH": _SYSTEM, "TERM": "dumb"}

    @property
    def home(self) -> Path:
        """Where m26 keeps everything unless it is told otherwise."""
        return Path(self.environment["HOME"]) / _HOME

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
        if "m26 run" in block.text or "m26 doctor" in block.text:  # both try the port
            self._leave_the_default_port_to_others()
        with ports.reserved() as port:  # a page names one port; a test takes a free one
            self._type(block, _waiting(block.text.replace(_EXAMPLE_PORT, str(port))))

    def _python(self, block: Block) -> None:
        self._type(block, f"python - <<'END'\n{block.text}END\n")

    def _type(self, block: Block, script: str) -> None:
        """Run a script in the terminal."""
        after = self.folder / "environment"
        # The reader's terminal has a job already, which is none of the page's.
        script = f"sleep {_PATIENCE} & own=$!\n{script}\nkill $own"
        told = f"env --null > {shlex.quote(str(after))}"
        out, err = self.folder / "stdout", self.folder / "stderr"
        with out.open("w") as stdout, err.open("w") as stderr:
            # Files, not pipes: what a block leaves in the background must not hold us up.
            done = subprocess.run(
                ["bash", "-eu", "-o", "pipefail", "-c", f"{script}\n{told}"],
                cwd=self.checkout,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                timeout=_PATIENCE,
                check=False,
            )
        self.stdout = out.read_text()
        self.output = self.stdout + err.read_text()
        assert done.returncode == 0, f"{block} ends with {done.returncode}:\n{self.output}"
        pairs = after.read_text().rstrip("\0").split("\0")
        self.environment = dict(pair.split("=", 1) for pair in pairs)

    def _leave_the_default_port_to_others(self) -> None:
        """As someone whose port 8026 is taken does, before the first run."""
        settings = self.home / "config.toml"
        if not settings.exists():
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            settings.write_text("[web]\nport = 0\n")

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
