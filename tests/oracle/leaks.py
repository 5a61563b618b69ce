"""O7: every secret that the simulator ever handed out in, the places where one stands out."""

from __future__ import annotations

import os
import stat
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import redis
from tests.oracle.verdict import Verdict

from m26.journal import segment
from m26.sim.ledger import Ledger

_PREFIX = b"SIM-CANARY-"
"""Of nearly every secret of the simulator and of its profile."""


def secrets(ledger: Path) -> list[str]:
    """All that must never be seen, as it is and as it looks in a URL."""
    with Ledger.open_readonly(ledger) as reader:
        found = reader.secrets()
    assert found, "the simulator handed out nothing: this would prove nothing"
    return sorted({form for secret in found for form in (secret, urllib.parse.quote(secret, ""))})


def judge_leaks(handed_out: Iterable[str], places: Iterable[tuple[str, bytes]]) -> Verdict:
    """Look for every secret in every place; what is found is named by its place alone."""
    wanted = [secret.encode() for secret in handed_out]
    others = [secret for secret in wanted if not secret.startswith(_PREFIX)]
    verdict = Verdict("O7", {"secrets": len(wanted), "places": 0, "bytes": 0})
    for place, data in places:
        verdict.counts["places"] += 1
        verdict.counts["bytes"] += len(data)
        if _PREFIX in data or any(secret in data for secret in others):
            verdict.extra.append(
                f"{place} holds {sum(secret in data for secret in wanted)} of them"
            )
    return verdict


def files(folder: Path, *, but: Iterable[str] = ()) -> Iterator[tuple[str, bytes]]:
    """Every file under `folder` as it lies on the disk, and the journal's records opened.

    Args:
        folder: a home.
        but: names of folders to pass over.
    """
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and name.parts[0] not in but:
            yield str(name), path.read_bytes()
    for path in segment.segment_paths(folder / "journal"):
        for record in segment.read_segment(path):
            if page := record.page:
                yield f"journal record {record.pos}", repr(replace(page, body=b"")).encode()
                yield f"journal body {record.pos}", page.body


def exposed(folder: Path) -> dict[str, str]:
    """What others than its owner, who is us, could use of a folder: path → mode."""
    found: dict[str, str] = {}
    for path in (folder, *folder.rglob("*")):
        try:
            facts = path.lstat()
        except FileNotFoundError:  # servers are at work there
            continue
        if facts.st_mode & 0o077 or facts.st_uid != os.geteuid():
            found[str(path.relative_to(folder))] = stat.filemode(facts.st_mode)
    return found


def processes(root: int) -> Iterator[tuple[str, bytes]]:
    """What `ps` shows to everybody of a process and its descendants, and the latters' environment.

    Args:
        root: pid of a process; its own environment is what the operator gave to it.
    """
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        for name in ("cmdline", "environ") if pid != root else ("cmdline",):
            try:
                yield f"{name} of {pid}", Path(f"/proc/{pid}/{name}").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            except PermissionError:  # an m26 of our own user, as which nobody may look
                assert os.geteuid() != 0
        waiting += children.get(pid, [])


async def dump(dsn: str) -> dict[str, bytes]:
    """Every table of m26 as text."""
    connection = await asyncpg.connect(dsn)
    try:
        names = await connection.fetchval(
            "SELECT array_agg(relname) FROM pg_class WHERE relnamespace = 'm26'::regnamespace"
            " AND relkind IN ('r', 'p')"
        )
        found = {f"table {name}": await _table(connection, name) for name in names}
        raw = await connection.fetch("SELECT raw FROM m26.reject")  # text has it in hexadecimal
        return {**found, "raw rejects": b"\n".join(row["raw"] for row in raw)}
    finally:
        await connection.close()


def everything(url: str) -> dict[str, bytes]:
    """Every key of a Redis."""
    with redis.Redis.from_url(url) as client:
        keys: Any = client.keys("*")
        return {f"key {key.decode()}": _value(client, key) for key in keys}


async def _table(connection: asyncpg.Connection[Any], name: str) -> bytes:
    parts: list[bytes] = []

    async def take(data: bytes) -> None:
        parts.append(data)

    await connection.copy_from_query(f"SELECT * FROM m26.{name}", output=take)
    return b"".join(parts)


def _value(client: redis.Redis, key: bytes) -> bytes:
    value: Any = client.xrange(key) if client.type(key) == b"stream" else client.get(key)
    return value if isinstance(value, bytes) else repr(value).encode()
