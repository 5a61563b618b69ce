"""The clock of one process, wrong by as much as a file says: a library put before libc's."""

from __future__ import annotations

import struct
import subprocess
from functools import cache
from pathlib import Path

_SOURCE = Path(__file__).with_name("skew.c")


@cache
def _library(folder: Path) -> Path:
    """The library, compiled once for a folder; Rust needs a C compiler anyhow."""
    made = folder / "skew.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
    subprocess.run(["cc", *flags, str(_SOURCE), "-o", str(made)], check=True)
    return made


class Skew:
    """The clock of the processes that get `environment`.

    Args:
        path: the file; it is made, and says 0.
        build: folder for the compiled library.
    """

    def __init__(self, path: Path, build: Path) -> None:
        self._path, self._build = path, build
        path.write_bytes(struct.pack("<d", 0.0))

    @property
    def environment(self) -> dict[str, str]:
        """What a process gets so that its clock is this one."""
        return {"LD_PRELOAD": str(_library(self._build)), "SKEW_FILE": str(self._path)}

    def set(self, seconds: float) -> None:
        """From now on the clock is so many seconds ahead; processes that run see it jump."""
        with self._path.open("r+b") as file:  # in place: others have it mapped
            file.write(struct.pack("<d", seconds))
