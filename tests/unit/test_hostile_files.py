"""Files that somebody made to do harm: bounded in time and memory, refused with their place."""

from __future__ import annotations

import gzip
import os
import stat
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import orjson
import pytest
import zstandard
from cryptography.fernet import Fernet
from tests.support.captures import flow, reply
from tests.support.journals import make_page, open_journal, read_all
from tests.unit.test_captures import save

from m26.auth.intake import read_credentials
from m26.auth.vault import Vault
from m26.config import load
from m26.errors import AuthError, ConfigError, M26Error
from m26.home.runfile import read_run
from m26.home.stops import read_stops
from m26.journal.segment import pack_payload, pack_record, segment_paths
from m26.limits.book import Book
from m26.models import Record
from m26.offline import read_captures
from m26.offline.writers import Format, open_rows
from m26.upstream.profile import Profile

MB = 2**20
SOON = 10
"""Seconds of work; what is not bounded takes minutes."""


@contextmanager
def bounded(most: int = 100 * MB) -> Iterator[None]:
    """What is done within takes neither long nor much memory."""
    began = time.process_time()
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < most
    assert time.process_time() - began < SOON


# The journal


def claims(size: int) -> bytes:
    """A zstd frame that says it unpacks to `size` bytes and holds one."""
    return b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\x09\x00\x00x"


def packed(fields: object, body: bytes = b"") -> bytes:
    header = orjson.dumps(fields)
    return zstandard.compress(len(header).to_bytes(4, "little") + header + body)


def record_of(folder: Path, payload: bytes) -> Record:
    """What a journal tells of a record with that payload, its neighbours being whole."""
    journal = open_journal(folder, segment_bytes=1 << 30)
    journal.append(make_page(0))
    journal.close()
    path = segment_paths(folder)[0]
    with path.open("ab") as file:
        file.write(pack_record(1, payload) + pack_record(2, pack_payload(make_page(2))))
    first, odd, last = read_all(open_journal(folder, segment_bytes=1 << 30))
    assert (first.page, last.page) == (make_page(0), make_page(2))
    return odd


GOOD = {
    "account": "main", "platform": "ps5", "command": "c", "query": "{}", "status": 200,
    "content_type": "", "fetched_at": 1,
}  # fmt: skip


def unsized(size: int) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=False).compress(bytes(size))


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (claims(6 * 2**30), "6442450944 bytes"),
        (unsized(200 * MB), "another version"),
        (packed(GOOD | {"fetched_at": "now"}), "fetched_at is of type str"),
        (packed(GOOD | {"fetched_at": 2**62}), "fetched_at is out of range"),
        (packed(GOOD | {"fetched_at": -1}), "fetched_at is out of range"),
        (packed(GOOD | {"status": True}), "status is of type bool"),
        (packed(GOOD | {"sweep": 2**63}), "sweep is out of range"),
        (packed(GOOD | {"platform": 5}), "platform is of type int"),
        (packed(GOOD | {"query": None}), "query is of type NoneType"),
        (packed([1]), "another version"),
        (packed("account"), "another version"),
    ],
    ids=lambda value: value[:25] if isinstance(value, str) else "",
)
def test_a_record_of_the_journal_that_lies_is_told_and_costs_no_other(
    tmp_path: Path, payload: bytes, said: str
) -> None:
    with bounded():
        odd = record_of(tmp_path, payload)
    assert odd.page is None
    assert said in odd.detail


def test_a_record_of_the_journal_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    with bounded():
        journal = open_journal(tmp_path, segment_bytes=1 << 30)
        journal.append(make_page(0))
        journal.close()
        path = segment_paths(tmp_path)[0]
        header = pack_record(1, b"")[:12] + (300 * MB).to_bytes(4, "little") + bytes(4)
        with path.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(header + crc32(header).to_bytes(4, "little"))
            file.truncate(file.tell() + 300 * MB)  # takes no space on the disk
        (_, odd) = read_all(open_journal(tmp_path, segment_bytes=1 << 30))
    assert odd.page is None
    assert "at byte" in odd.detail


# What the operator writes


HOSTILE_TOML: dict[str, tuple[bytes, str]] = {
    "brackets": (b"[web]\nhost = " + b"[" * 8_000, ":2: its brackets nest too deep"),
    "brackets in lines": (b"web = \\\n".replace(b"\\\n", b"[\n" * 20_000), "nest too deep"),
    "tables": (b"a = " + b"{a=" * 2_000, "nest too deep"),
    "dotted keys": (b"#\n" + b".".join([b"a"] * 20_000) + b" = 1", ":2: a line over 8192"),
    "many keys": (b"".join(b"web.k%d = 1\n" % n for n in range(50_000)), "larger than 64 KiB"),
    "a long number": (b"a = " + b"9" * 5_000, "digits"),
    "binary": (b"\xff\xfe\x00", "codec"),
}


@pytest.mark.parametrize("name", HOSTILE_TOML)
def test_a_hostile_config_is_refused_with_its_place(m26: Any, home: Path, name: str) -> None:
    content, said = HOSTILE_TOML[name]
    (home / "config.toml").write_bytes(content)
    with bounded():
        done = m26("config", "show")
    assert done.code == 3
    assert f"cannot read {home / 'config.toml'}" in done.err
    assert said in done.err


@pytest.mark.parametrize("name", HOSTILE_TOML)
def test_a_hostile_profile_is_refused_with_its_place(home: Path, name: str) -> None:
    content, said = HOSTILE_TOML[name]
    for path in (home / "other.toml", home / "profile.toml"):
        path.write_bytes(content)
        path.chmod(0o600)
        with bounded(), pytest.raises(ConfigError) as caught:
            Profile.load(str(path) if path.name == "other.toml" else "sim", home=home)
        assert f"cannot read {path}" in caught.value.message
        assert said in caught.value.message
        path.unlink()


def test_many_unknown_keys_are_told_at_once(m26: Any, home: Path) -> None:
    keys = "".join(f"k{n}=1\n" for n in range(7_000))
    (home / "config.toml").write_text(keys)
    with bounded():
        done = m26("config", "show")
    assert done.code == 3
    assert "unknown setting 'k0'" in done.err
    assert "config.toml:1" in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("year = 'soon'", "year is of type str"),
        ("platforms = 5", "platforms is of type int"),
        ("platforms = []", "platforms is empty"),
        ("platforms = [1]", "platforms is of type tuple"),
        ("oauth = 3", "oauth is no table"),
        ("commands = [1]", "commands is no table"),
        ("commands.search = 5", "search is no table"),
        ("card.positions = [1]", "positions is no table"),
        ("card.positions.QB = 'x'", "positions is of type dict"),
        ("card.per_copy = 'x'", "per_copy is of type str"),
        ("budget.per_day = 'many'", "per_day is of type str"),
        ("wal.legacy_tls = 1", "legacy_tls is of type int"),
        ("wal.product_name = '{0.__class__}'", "is no pattern"),
        ("wal.product_name = '{'", "is no pattern"),
    ],
)
def test_a_profile_with_odd_values_is_refused_with_their_names(
    tmp_path: Path, text: str, said: str
) -> None:
    overlay = tmp_path / "profile.toml"
    overlay.write_text(text)
    overlay.chmod(0o600)
    with pytest.raises(ConfigError) as caught:
        Profile.load("sim", home=tmp_path)
    assert said in caught.value.message


# Who else may write


NOBODY = 54_321
"""A user and a group that are not ours."""


def to_another_group(path: Path) -> None:
    os.chown(path, -1, NOBODY)
    path.chmod(0o770)


SHARED: dict[str, tuple[Callable[[Path], None], str]] = {
    "all may write": (lambda path: path.chmod(0o777), "chmod go-w {}"),
}
if os.geteuid() == 0:  # only root can give a file away
    SHARED["another group may write"] = (to_another_group, "chmod go-w {}")
    SHARED["another owner"] = (lambda path: os.chown(path, NOBODY, -1), "chown root {}")


@pytest.mark.parametrize("what", ["home", "config.toml"])
@pytest.mark.parametrize("how", SHARED)
def test_a_home_or_config_that_others_can_change_is_refused_by_all_and_by_doctor(
    m26: Any, home: Path, what: str, how: str
) -> None:
    change, command = SHARED[how]
    path = home if what == "home" else home / what
    if what != "home":
        path.write_text("")
    change(path)
    for arguments in (("config", "show"), ("auth", "status"), ("doctor",)):
        done = m26(*arguments)
        assert done.code == (1 if arguments == ("doctor",) else 3)
        assert command.format(path) in done.out + done.err
        assert str(path) in done.out + done.err


def test_the_user_s_own_group_and_root_may_write(home: Path) -> None:
    home.chmod(0o770)
    (home / "config.toml").write_text("[web]\nport = 9\n")
    (home / "config.toml").chmod(0o664)
    assert load().settings.web.port == 9


@pytest.mark.parametrize("how", SHARED)
def test_a_profile_that_others_can_change_is_refused(tmp_path: Path, how: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes((Path(__file__).parents[2] / "python/m26/profiles/sim.toml").read_bytes())
    assert Profile.load(str(path)).name == "sim"
    SHARED[how][0](path)
    with pytest.raises(ConfigError, match="who can change"):
        Profile.load(str(path))


# What processes of one home share


def test_a_vault_of_another_form_is_refused_and_not_changed(tmp_path: Path) -> None:
    key = Fernet.generate_key()
    (tmp_path / "vault.key").write_bytes(key)
    (tmp_path / "vault.key").chmod(0o600)
    path = tmp_path / "vault.bin"
    document: Any
    for document in ([], {"version": 1}, {"version": 1, "accounts": {"a": {}}}, {"version": "1"}):
        path.write_bytes(Fernet(key).encrypt(orjson.dumps(document)))
        path.chmod(0o600)
        with pytest.raises(AuthError, match="another version"):
            Vault.open(tmp_path)


def test_a_vault_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    for name in ("vault.key", "vault.bin"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**31)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "vault.bin").write_bytes(b"x")
    with bounded(200 * MB), pytest.raises(M26Error, match="larger than 64 MiB"):
        Vault.open(tmp_path)


@pytest.mark.parametrize("size", [2**31, 0], ids=["gigabytes", "a pipe"])
def test_a_stop_that_cannot_be_read_holds_and_a_run_that_cannot_is_none(
    tmp_path: Path, size: int
) -> None:
    for name in ("stop.json", "run.json"):
        if size:
            with (tmp_path / name).open("wb") as file:
                file.truncate(size)
        else:
            os.mkfifo(tmp_path / name)
    with bounded():
        (stop,) = read_stops(tmp_path)
        assert (stop.reason, read_run(tmp_path)) == ("unreadable", None)


@pytest.mark.parametrize(
    "odd",
    [{"spent": [[1e300, 1]]}, {"spent": [[1, 1e300]]}, {"logins": [1e300]}, {"due": 1e300}],
    ids=str,
)
def test_a_book_with_impossible_figures_can_be_written_again(tmp_path: Path, odd: Any) -> None:
    path = tmp_path / "main.json"
    book = Book(path)
    with book.turn() as entries:
        book.save(entries)
    document = orjson.loads(path.read_bytes())
    document["entries"] |= odd
    path.write_bytes(orjson.dumps(document))
    with book.turn() as entries:
        book.save(entries)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


# Captures


def test_openings_of_flows_that_are_none_take_linear_time(tmp_path: Path) -> None:
    junk = b"9999999:7:comment;" * 3_000
    nested = b""
    for _ in range(300):
        nested = b"1:a;%d:%b}" % (len(nested), nested)
    path = save(tmp_path, flow(reply(1)) + junk + nested * 5 + flow(reply(2)))
    problems: list[str] = []
    with bounded():
        found = [page.body for page in read_captures(path, on_problem=problems.append)]
    assert found == [reply(1), reply(2)]
    assert len(problems) == 1


def test_a_large_file_of_false_openings_is_given_up(tmp_path: Path) -> None:
    size = MB
    inside = b"%d:7:comment;" % (size - 30)
    path = save(tmp_path, flow(reply(1)) + (inside * (size // len(inside) * 2)) + b"}" * 99)
    with bounded(200 * MB):
        found = read_credentials(path)
    assert len(found.bundles) == 1
    assert found.problems


def test_members_without_number_take_linear_time(tmp_path: Path) -> None:
    many = gzip.compress(b"") * 20_000
    path = save(tmp_path, flow(many + gzip.compress(reply(1)), headers=[("a", "b")]))
    with bounded():
        (page,) = read_captures(path)
    assert page.body == reply(1)


def test_lines_of_nothing_are_passed(tmp_path: Path) -> None:
    path = save(tmp_path, gzip.compress(b"\n" * 300_000 + reply(1) + b"\n" * 300_000 + reply(2)))
    with bounded():
        assert [page.body for page in read_captures(path)] == [reply(1), reply(2)]


# Rows for people


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a\x1b[2Jb", "a\ufffd[2Jb"),
        ("\x9b2J", "\ufffd2J"),
        ("\x00=1", "\ufffd=1"),
        ("-31", "-31"),
        ("+1.5", "+1.5"),
        (-31, "-31"),
        (None, ""),
        ("plain = text", "plain = text"),
        ("J.-P. O'Neil @ home", "J.-P. O'Neil @ home"),
    ],
)
def test_cells_of_csv_do_no_harm(tmp_path: Path, value: str | int | None, cell: str) -> None:
    target = tmp_path / "a.csv"
    with open_rows(str(target), ["a", "b"], form=Format("csv")) as write:
        write([[value, 1]])
    assert target.read_bytes().decode().split("\r\n")[1].replace('"', "") == f"{cell},1"
