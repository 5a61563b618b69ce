"""Files that a stranger has left in the folder where the operator types a command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path

_PROGRAMS = (
    *("pg_config", "postgres", "initdb", "psql", "unshare", "sh"),
    *("valkey-server", "redis-server"),
)
_AT_START = ("sitecustomize", "usercustomize")


@dataclass(frozen=True, slots=True)
class Decoys:
    """A folder of modules and programs, each of which writes down that it was executed."""

    folder: Path

    @property
    def executed(self) -> list[str]:
        """Names of those that were."""
        note = self.folder.with_name(f"{self.folder.name}.executed")
        return sorted(set(note.read_text().split())) if note.exists() else []


def plant(folder: Path, *, but: Iterable[str] = ()) -> Decoys:
    """A decoy of every module that can be imported, m26 itself too, and of every program.

    Args:
        folder: where; it is made.
        but: modules that the interpreter itself would take from there before m26 has begun.
    """
    note = folder.with_name(f"{folder.name}.executed")
    names = {*sys.stdlib_module_names, *packages_distributions(), *_AT_START, "m26"} - {*but}
    folder.mkdir()
    for name in names:
        module = folder / name
        if name == "m26":
            module.mkdir()
            module = module / "__init__"
        # Only builtins: an import would be looked for here again.
        line = f"open({str(note)!r}, 'a').write({name!r} + '\\n')\n"
        module.with_suffix(".py").write_text(line)
    for name in _PROGRAMS:
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {name} >> '{note}'\n")
        program.chmod(0o755)
    return Decoys(folder)


def loaded_by_the_interpreter(folder: Path) -> set[str]:
    """Modules that ``python -m`` has imported when the named module's first line is run."""
    (folder / "first_line.py").write_text("import sys; print(*sys.modules)")
    done = subprocess.run(
        [sys.executable, "-m", "first_line"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split()) | {*_AT_START}
