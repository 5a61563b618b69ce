"""A Dockerfile as instructions, and its build stage carried out in a folder without Docker."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Instruction:
    stage: int
    name: str
    text: str

    @property
    def words(self) -> list[str]:
        """The exec form's list, or the words."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)


def read(path: Path = ROOT / "Dockerfile") -> list[Instruction]:
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    logical = "\n".join(lines).replace("\\\n", " ").splitlines()
    found: list[Instruction] = []
    stage = -1
    for line in filter(None, map(str.strip, logical)):
        name, _, text = line.partition(" ")
        stage += name == "FROM"
        found.append(Instruction(stage, name, re.sub(r"\s+", " ", text)))
    return found


def stage_named(instructions: list[Instruction], name: str) -> list[Instruction]:
    """The instructions of the stage `FROM … AS name`."""
    number = next(
        i.stage for i in instructions if i.name == "FROM" and i.text.endswith(f" AS {name}")
    )
    return [i for i in instructions if i.stage == number]


def sources(instructions: list[Instruction]) -> list[str]:
    """What is copied out of the build context."""
    copies = [i for i in instructions if i.name == "COPY" and not i.text.startswith("--from")]
    return [word.rstrip("/") for copy in copies for word in copy.words[:-1]]


@contextmanager
def building() -> Iterator[dict[str, str]]:
    """Environment of a build whose like is quick the next time; one such build at a time.

    pip may use its cache and cargo the repository's ``target``; nothing is optimised, since nobody
    measures what was built.
    """
    target = ROOT / "target" / "image"
    target.mkdir(parents=True, exist_ok=True)
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # both copy what they built out of there
        yield {
            **os.environ,
            "CARGO_TARGET_DIR": str(target),
            "CARGO_PROFILE_RELEASE_LTO": "off",
            "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_COMPILE": "1",
        }


def carry_out(instructions: list[Instruction], folder: Path) -> Path:
    """Run the COPY and RUN steps of a stage below `folder`; the folder that stands for ``/``.

    Paths of the image are moved below it. Nothing else is changed.
    """
    source = folder / "src"
    source.mkdir()
    with building() as environment:
        for step in instructions:
            if step.name == "COPY" and not step.text.startswith("--from"):
                for word in sources([step]):
                    _copy(ROOT / word, source / word)
            elif step.name == "RUN":
                _run(step, folder, environment)
    return folder


def _run(step: Instruction, folder: Path, environment: dict[str, str]) -> None:
    command = step.text.replace("--no-cache-dir", "").replace("python3 ", f"{_python()} ")
    command = re.sub(r"(?<![\w/])/(opt|src)\b", rf"{folder}/\1", command)
    (folder / "opt").mkdir(exist_ok=True)
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command],
        cwd=folder / "src",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def _python() -> str:
    return shlex.quote(sys.executable)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "benches", "fuzz", "tests")
        shutil.copytree(source, target, ignore=ignored)
    else:
        shutil.copy(source, target)
