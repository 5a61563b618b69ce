from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import orjson
import pytest
from tests.support.commands import commands
from tests.support.documents import check_printed

from m26.cli import db, rejects
from m26.cli.database_documents import DatabaseView, MigrateView
from m26.cli.documents import RejectsView, RejectView
from m26.store.database import opened


@pytest.mark.anyio
async def test_the_database_commands_work_on_the_real_store(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(database) as store:
        await db.print_status(store, free=None, as_json=True)
        found = orjson.loads(capsys.readouterr().out)
        check_printed(DatabaseView, found)
        migrations = found["migrations"]
        assert migrations
        assert not [row for row in migrations if row["applied_at"]]

        await db.print_migrate(store, as_json=True)
        assert orjson.loads(capsys.readouterr().out)["applied"] == [m["name"] for m in migrations]
        await db.print_migrate(store, as_json=True)
        again = orjson.loads(capsys.readouterr().out)
        check_printed(MigrateView, again)
        assert again["applied"] == []

        await db.print_status(store, free=None, as_json=False)
        text = capsys.readouterr().out
        assert "pending" not in text
        assert "stream_head" in text


@pytest.mark.anyio
async def test_the_quarantine_is_read_from_the_real_store(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with opened(database) as store:
        await store.migrate()
        connection = await asyncpg.connect(database)
        number = await connection.fetchval(
            "INSERT INTO m26.reject (part, pos, item, byte_from, byte_to, reason, detail, raw,"
            " state, created_at) VALUES ('p', 3, 1, 10, 20, 'bad_price', 'it is -5', $1, 'new',"
            " now()) RETURNING id",
            b"\xffraw",
        )
        await connection.close()
        await rejects.print_list(store, limit=5, reason=None, as_json=False)
        assert "it is -5" in capsys.readouterr().out
        await rejects.print_list(store, limit=5, reason=None, as_json=True)
        check_printed(RejectsView, orjson.loads(capsys.readouterr().out))
        await rejects.print_list(store, limit=5, reason="other", as_json=True)
        assert orjson.loads(capsys.readouterr().out) == {"schema_version": 1, "items": []}
        await rejects.print_one(store, number, raw=False, as_json=True)
        found = orjson.loads(capsys.readouterr().out)
        check_printed(RejectView, found)
        assert (found["reason"], found["raw"]) == ("bad_price", "\\xffraw")


@pytest.mark.parametrize("form", ["url", "pairs"])
def test_the_address_of_a_console_reaches_the_real_database(
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    form: str,
) -> None:
    dsn = f"{database}&channel_binding=require&connect_timeout=10&sslcompression=0&pgbouncer=true"
    if form == "pairs":
        given = {**parse_qs(urlsplit(database).query), "dbname": [urlsplit(database).path[1:]]}
        dsn = " ".join(f"{name} = '{values[0]}'" for name, values in given.items())
    monkeypatch.setenv("M26_POSTGRES__DSN", dsn)
    with commands(capsys) as m26:
        done = m26("db", "migrate", "--json", "--home", str(tmp_path / "home"))
    assert (done.code, done.err) == (0, "")
    assert done.json["applied"]
