"""Who may do what in the embedded PostgreSQL, new or made by an older m26."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from m26.embedded import postgres
from m26.store.database import opened

pytestmark = pytest.mark.anyio

OLDER = """
SET SESSION AUTHORIZATION helper;
REASSIGN OWNED BY m26 TO m26_admin;
DROP OWNED BY m26, m26_reader;
DROP ROLE m26, m26_reader;
ALTER ROLE m26_admin RENAME TO m26;
RESET SESSION AUTHORIZATION;
DROP ROLE helper;
"""
MADE = """
CREATE SCHEMA mine;
CREATE TABLE public.kept (id serial PRIMARY KEY, at bigint GENERATED ALWAYS AS IDENTITY);
CREATE SEQUENCE mine."odd Name";
CREATE DOMAIN mine.coins AS bigint;
CREATE TYPE mine.pair AS (a int, b int);
CREATE FUNCTION mine.one(int, text) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE MATERIALIZED VIEW mine.seen AS SELECT * FROM public.kept;
"""
OWNERS = """
SELECT DISTINCT rolname FROM pg_roles JOIN (
    SELECT relowner, relnamespace FROM pg_class
    UNION ALL SELECT proowner, pronamespace FROM pg_proc
    UNION ALL SELECT typowner, typnamespace FROM pg_type
    UNION ALL SELECT nspowner, oid FROM pg_namespace
) AS owned ON owned.relowner = pg_roles.oid
JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE nspname IN ('m26', 'mine') OR nspname = 'public' AND rolname LIKE 'm26%'
"""


def admin(server: postgres.Postgres) -> str:
    return server.dsn.replace("user=m26", "user=m26_admin")


async def fetch(dsn: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def execute(dsn: str, statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


def psql(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "m26", "embedded", "psql", *arguments],
        env={**os.environ, "M26_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


async def refusal(dsn: str, statement: str) -> str:
    with pytest.raises(asyncpg.PostgresError) as raised:
        await execute(dsn, statement)
    return str(raised.value)


SUPERUSERS = "SELECT rolname FROM pg_roles WHERE rolsuper ORDER BY 1"


async def test_m26_is_no_superuser_and_psql_reads_unless_it_is_told_otherwise(
    tmp_path: Path,
) -> None:
    async with postgres.running(tmp_path) as server:
        assert await fetch(server.dsn, SUPERUSERS) == [("m26_admin",)]
        async with opened(server.dsn) as store:
            await store.migrate()
        assert await fetch(admin(server), OWNERS) == [("m26",)]
        for statement in ("COPY (SELECT 1) TO PROGRAM 'true'", "SELECT pg_read_file('PG_VERSION')"):
            assert "permission denied" in await refusal(server.dsn, statement)

        reading = psql(tmp_path, "-tAc", "SELECT current_user, count(*) FROM m26.auction")
        assert (reading.stdout, reading.stderr) == ("m26_reader|0\n", "")
        changing: Sequence[str] = ("-c", "DELETE FROM m26.auction")
        assert "read-only" in psql(tmp_path, *changing).stderr
        anyway = ("-c", "SET default_transaction_read_only = off", *changing)
        assert "permission denied" in psql(tmp_path, *anyway).stderr
        assert psql(tmp_path, "--admin", *changing).stdout == "DELETE 0\n"


async def test_the_database_of_an_older_m26_keeps_its_data_and_gets_the_roles(
    tmp_path: Path,
) -> None:
    async with postgres.running(tmp_path) as server:
        async with opened(server.dsn) as store:
            await store.migrate()
        await execute(server.dsn, MADE)
        await execute(server.dsn, "INSERT INTO public.kept DEFAULT VALUES")
        await execute(admin(server), "CREATE ROLE helper SUPERUSER")
        await execute(admin(server), OLDER)
        assert await fetch(server.dsn, SUPERUSERS) == [("m26",)]
        assert await fetch(server.dsn, OWNERS) == [("m26",)]
        bootstrap = "SELECT oid::int FROM pg_roles WHERE rolname = 'm26'"
        assert await fetch(server.dsn, bootstrap) == [(10,)]
    (tmp_path / "postgres" / "roles").unlink()
    for _ in range(2):
        async with postgres.running(tmp_path) as server:
            assert await fetch(server.dsn, SUPERUSERS) == [("m26_admin",)]
            assert await fetch(server.dsn, OWNERS) == [("m26",)]
            await execute(server.dsn, "INSERT INTO public.kept DEFAULT VALUES")
            await execute(server.dsn, "REFRESH MATERIALIZED VIEW mine.seen")
            async with opened(server.dsn) as store:
                assert await store.migrate() == []
        (tmp_path / "postgres" / "roles").write_text("of other data")
    async with postgres.running(tmp_path) as server:
        assert await fetch(server.dsn, "SELECT id FROM public.kept") == [(1,), (2,), (3,)]
