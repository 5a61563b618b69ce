"""Root without user namespaces: the server's user has its data and its socket, and no way on.

These need another uid: as an ordinary user they skip, run them as root.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from m26.config import load
from m26.embedded import binaries, postgres, supervise
from m26.embedded.folders import private_folder
from m26.embedded.user import user_of
from m26.errors import ConfigError, StorageError
from m26.home.files import open_private, replace_private
from m26.home.lock import HomeLock, Lock
from m26.safefile import read_limited

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs another uid: run it as root"),
]
NOBODY = pwd.getpwnam("nobody")
OURS = ("owner.lock", "data.lock", "server.log", "server.log.1", "socket-folder")
SECRET = "of root alone\n"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that every user can enter, with binaries in it and a home."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o755)
        package = binaries.postgres_folder().parents[1]
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, place / part.name)
        (place / "bin").symlink_to(place / package.name / "pginstall" / "bin")
        yield place


@pytest.fixture
def home(place: Path) -> Iterator[Path]:
    home = place / "home"
    home.mkdir(mode=0o755)
    yield home
    shutil.rmtree(home)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


def untouched(target: Path) -> bool:
    facts = target.stat()
    mine = (facts.st_uid, facts.st_mode & 0o777) == (0, 0o600)
    return mine and target.read_text() == SECRET


def server(home: Path) -> supervise.Server:
    return postgres.server(home, pg_bin=(home.parent / "bin").readlink(), namespace=())


async def ask(home: Path, query: str) -> object:
    """The answer of the server of `home`, which is started for it."""
    kept = server(home)
    dsn = postgres.Postgres(private_folder(kept.folder)).dsn
    async with supervise.supervised(kept):
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()


def as_nobody(*command: str) -> bool:
    """Whether the server's user can do it."""
    ids = [f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
    done = subprocess.run(["setpriv", *ids, *command], capture_output=True, check=False)
    return done.returncode == 0


def entries(folder: Path) -> dict[str, tuple[int, str]]:
    found = {path.name: path.lstat() for path in (folder, *folder.iterdir())}
    return {name: (facts.st_uid, oct(facts.st_mode & 0o777)) for name, facts in found.items()}


def hand_over(folder: Path) -> None:
    """Give all of it to the server's user, as an older m26 did."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid, follow_symlinks=False)


async def test_only_data_and_socket_are_the_servers_and_an_old_home_is_taken_back(
    home: Path, target: Path
) -> None:
    folder = home / "postgres"
    assert await ask(home, "CREATE TABLE kept AS SELECT 1 AS one") is None
    planted = [
        name
        for name in (*OURS, "data", "run")
        if as_nobody("ln", "-sfnT", str(target), str(folder / name))
        or as_nobody("mv", str(folder / name), str(folder / "gone"))
    ]
    assert planted == []

    hand_over(folder)
    assert as_nobody("ln", "-sfn", str(target), str(folder / "server.log.1"))
    assert as_nobody("ln", "-sfn", str(target), str(folder / "owner.lock"))
    (folder / "socket-folder").unlink(missing_ok=True)
    os.link(target, folder / "socket-folder")  # where the kernel lets others do so
    (folder / "server.log").write_bytes(b"x" * 9 * 2**20)
    assert as_nobody("ln", "-sfn", str(target), str(folder / "data" / "postmaster.pid"))

    assert await ask(home, "SELECT one FROM kept") == 1
    assert untouched(target)
    theirs = {"data", "run"}
    for name, facts in entries(folder).items():
        expected = (NOBODY.pw_uid, "0o700") if name in theirs else (0, "0o600")
        assert facts == ((0, "0o710") if name == "postgres" else expected), name
    assert not any(path.is_symlink() for path in folder.iterdir())

    (folder / "data").rename(home / "another disk")
    (folder / "data").symlink_to(home / "another disk")  # made by root, it is followed
    assert await ask(home, "SELECT one FROM kept") == 1


async def test_a_big_log_is_not_copied_through_a_link(home: Path, target: Path) -> None:
    folder = home / "postgres"
    (folder / "data").mkdir(parents=True)  # damaged: the server does not start
    (folder / "server.log").write_bytes(b"x" * 9 * 2**20)
    (folder / "server.log.1").symlink_to(target)
    hand_over(folder)
    with pytest.raises(StorageError, match="did not start"):
        await ask(home, "SELECT 1")
    assert untouched(target)


async def test_settings_of_a_new_database_are_not_written_through_a_link(
    home: Path, target: Path
) -> None:
    programs = home.parent / "fake"
    programs.mkdir()
    script = f'#!/bin/sh\nmkdir -p "$2"\nln -s {target} "$2/postgresql.conf"\n'
    for name, text in {"postgres": "#!/bin/sh\n", "initdb": script}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    target.parent.chmod(0o755)
    kept = postgres.server(home, pg_bin=programs, namespace=())
    private_folder(kept.folder)
    with pytest.raises(StorageError):
        async with supervise.supervised(kept):
            pass
    assert untouched(target)


def test_a_link_in_the_place_of_the_data_does_not_choose_whom_root_becomes(home: Path) -> None:
    folder, other = home / "postgres", home / "other"
    folder.mkdir()
    other.mkdir()
    os.chown(other, 1, 1)
    (folder / "data").symlink_to(other)
    os.chown(folder / "data", NOBODY.pw_uid, -1, follow_symlinks=False)
    with pytest.raises(StorageError, match="link that user"):
        user_of(folder, Path("/bin/true"), namespace=())


def test_root_makes_no_file_in_a_folder_that_others_own_or_may_write(home: Path) -> None:
    theirs, shared = home / "theirs", home / "shared"
    theirs.mkdir()
    os.chown(theirs, NOBODY.pw_uid, -1)
    shared.mkdir()
    shared.chmod(0o777)
    for folder, why in ((theirs, "belongs to user nobody"), (shared, "chmod go-w")):
        with pytest.raises(StorageError, match=why):
            HomeLock.acquire(folder)
        with pytest.raises(PermissionError, match=why):
            open_private(folder / "sim.log", "wb")
        with pytest.raises(PermissionError, match=why):
            replace_private(folder / "run.json", b"{}")
        assert not list(folder.iterdir())


def test_a_home_behind_a_link_that_others_can_turn_is_refused(home: Path) -> None:
    (home / "real").mkdir(mode=0o700)
    link = home / "link"
    link.symlink_to("real")
    assert load({"home": link}).settings.home == link
    os.chown(link, NOBODY.pw_uid, -1, follow_symlinks=False)
    with pytest.raises(ConfigError, match="belongs to another user"):
        load({"home": link})


def test_what_is_no_lock_has_no_holder(tmp_path: Path) -> None:
    """In a folder that was not taken back yet, anything may be there."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert [Lock(tmp_path / name).holder() for name in ("pipe", "link")] == [None, None]


def test_a_pid_file_is_read_neither_through_a_link_nor_from_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=r"symbolic|regular"):
            read_limited(tmp_path / name, 20, links=False)
