"""What is said of an embedded server that fails: why, in its own words, and what helps there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from m26.embedded import postgres, valkey
from m26.errors import StorageError
from m26.home import files

pytestmark = pytest.mark.anyio

_STAMP = "2026-11-30 11:21:39.653 UTC [1184] "
_RESIZE = 'could not resize shared memory segment "/PostgreSQL.11" to 1048576 bytes'
FULL_DISK = f"""{_STAMP}FATAL:  could not write to file "base/4/3606": No space left on device
{_STAMP}STATEMENT:  CREATE DATABASE template0 STRATEGY = file_copy;

child process exited with exit code 1
initdb: removing data directory "/home/data.new.7"
"""
SMALL_SHM = f"""{_STAMP}FATAL:  {_RESIZE}: No space left on device
{_STAMP}PANIC:  cannot abort transaction 1, it was already committed
Aborted
child process exited with exit code 134
initdb: removing data directory "/home/data.new.7"
"""
STARTING = f"""{_STAMP}FATAL:  the database system is starting up
{_STAMP}FATAL:  {_RESIZE}: No space left on device
{_STAMP}LOG:  startup process (PID 525) exited with exit code 1
{_STAMP}LOG:  terminating any other active server processes
{_STAMP}LOG:  shutting down due to startup process failure
{_STAMP}LOG:  database system is shut down
"""
DENIED = 'initdb: error: could not access directory "/home/data.new.7": Permission denied\n'
READ_ONLY = 'initdb: error: could not create directory "/home/d": Read-only file system\n'
NO_MEMORY = f"""{_STAMP}FATAL:  could not map anonymous shared memory: Cannot allocate memory
{_STAMP}HINT:  This error usually means that it was too much.
{_STAMP}LOG:  database system is shut down
"""
OTHER_VERSION = f"""{_STAMP}FATAL:  database files are incompatible with server
{_STAMP}DETAIL:  The data directory was initialized by PostgreSQL version 9.
"""
CONFIGURATION = f"""{_STAMP}LOG:  unrecognized configuration parameter "odd" in file "p" line 902
{_STAMP}FATAL:  configuration file "p" contains errors
"""


def _programs(folder: Path, *, initdb: str = "", single: str = "", server: str = "") -> Path:
    """Programs that say such words and fail; with none they do as if all were well."""
    folder.mkdir()
    for name, words in (("initdb", initdb), ("single", single), ("server", server)):
        (folder / f"{name}.words").write_text(words)
    says = f"say() {{ cat {folder}/$1.words >&2; test ! -s {folder}/$1.words; exit $?; }}"
    makes = 'case "$1" in -D) mkdir -p "$2"; say initdb;; esac'
    serves = 'case "$1" in -D) say server;; --single) say single;; esac'
    for name, does in (("initdb", makes), ("postgres", serves)):
        (folder / name).write_text(f"#!/bin/sh\n{says}\n{does}\n")
        (folder / name).chmod(0o755)
    return folder


async def _failure(home: Path, programs: Path) -> StorageError:
    with pytest.raises(StorageError) as raised:
        async with postgres.running(home, pg_bin=programs):
            pass
    return raised.value


@pytest.mark.parametrize(
    ("words", "why", "what_to_do", "nothing_of"),
    [
        (FULL_DISK, 'FATAL:  could not write to file "base/4/3606": No space', "space", "root"),
        (SMALL_SHM, f"FATAL:  {_RESIZE}", "/dev/shm", "root"),
        (READ_ONLY, "Read-only file system", "read-only", "root"),
        (DENIED, "Permission denied", "own", "space"),
        ("something new\n", "something new", "", "root"),
    ],
)
async def test_a_database_that_cannot_be_made_is_told_with_what_helps(
    tmp_path: Path, words: str, why: str, what_to_do: str, nothing_of: str
) -> None:
    programs = _programs(tmp_path / "bin", initdb=words)
    error = await _failure(tmp_path / "home", programs)
    assert why in error.message
    assert what_to_do in error.hint
    assert nothing_of not in error.hint
    assert "removing data directory" not in error.message


async def test_a_server_that_ends_before_it_was_told_anything_says_why(tmp_path: Path) -> None:
    programs = _programs(tmp_path / "bin", single=SMALL_SHM)
    failure: BaseException | None = None
    try:
        async with postgres.running(tmp_path / "home", pg_bin=programs):
            pass
    except (StorageError, ExceptionGroup) as error:
        failure = error
    assert isinstance(failure, StorageError)
    assert _RESIZE in failure.message
    assert "/dev/shm" in failure.hint


@pytest.mark.parametrize(
    ("words", "why", "what_to_do"),
    [
        (STARTING, f"FATAL:  {_RESIZE}: No space left on device", "/dev/shm"),
        (FULL_DISK, "FATAL:  could not write to file", "Free some space"),
        (NO_MEMORY, "FATAL:  could not map anonymous shared memory", "shared_buffers"),
        (OTHER_VERSION, "FATAL:  database files are incompatible", "M26_PG_BIN"),
        (CONFIGURATION, "FATAL:  configuration file", "Correct "),
    ],
)
async def test_a_server_that_does_not_start_shows_its_fatal_line_and_what_helps(
    tmp_path: Path, words: str, why: str, what_to_do: str
) -> None:
    programs = _programs(tmp_path / "bin", server=words)
    home = tmp_path / "home"
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "server.log").write_text(f"{_STAMP}FATAL:  of an earlier start\n" * 3)
    error = await _failure(home, programs)
    assert why in error.message
    assert error.hint.startswith(("Make", "Free", "Set", "Correct"))
    assert what_to_do in error.hint.splitlines()[0]
    assert "an earlier start" not in error.message + error.hint


async def test_a_valkey_whose_file_is_damaged_is_told_with_what_helps(tmp_path: Path) -> None:
    folder = tmp_path / "valkey" / "data" / "appendonlydir"
    folder.mkdir(parents=True)
    (folder / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    (folder / "appendonly.aof.1.incr.aof").write_text("garbage")
    with pytest.raises(StorageError) as raised:
        async with valkey.running(tmp_path):
            pass
    assert "Bad file format" in raised.value.message
    assert "made anew from PostgreSQL" in raised.value.hint


@pytest.mark.parametrize(
    ("number", "what_to_do", "nothing_of"),
    [
        (errno.ENOSPC, "Free some space", "permissions"),
        (errno.EROFS, "read-only", "space"),
        (errno.EACCES, "permissions", "space"),
        (errno.ENOTDIR, "Move away", "permissions"),
        (errno.EIO, "dmesg", "permissions"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_with_what_helps_there(
    tmp_path: Path, number: int, what_to_do: str, nothing_of: str
) -> None:
    told = files.cannot("write", tmp_path / "a", OSError(number, os.strerror(number)))
    assert what_to_do in told.hint
    assert nothing_of not in told.hint
