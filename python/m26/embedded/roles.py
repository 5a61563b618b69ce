"""Who may do what in the embedded PostgreSQL: statements for single-user mode, at any state, out.

m26 itself is no superuser: a fault in what it sends neither starts a program nor reads a file.
"""

from __future__ import annotations

OWNER = "m26"
"""The role that m26 connects as; it owns the database of this name and what is in it."""
READER = "m26_reader"
"""Reads everything and changes nothing: for people."""
ADMIN = "m26_admin"
"""The superuser, made by initdb."""

# Until 0.1.0 the superuser was called m26. It cannot be demoted, and none renames itself.
_RENAMED = """
IF EXISTS (SELECT FROM pg_roles WHERE oid = 10 AND rolname = 'm26') THEN
    CREATE ROLE m26_renaming SUPERUSER;
    SET LOCAL SESSION AUTHORIZATION m26_renaming;
    ALTER ROLE m26 RENAME TO m26_admin;
    SET LOCAL SESSION AUTHORIZATION m26_admin;
    DROP ROLE m26_renaming;
END IF;
"""
_MADE = """
IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'm26') THEN
    CREATE ROLE m26 LOGIN;
    GRANT pg_read_all_stats, pg_signal_backend TO m26;
END IF;
IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'm26_reader') THEN
    CREATE ROLE m26_reader LOGIN;
    GRANT pg_read_all_data, pg_read_all_stats TO m26_reader;
    ALTER ROLE m26_reader SET default_transaction_read_only = on;
END IF;
"""
# REASSIGN OWNED refuses to take anything from the role of initdb.
_OWNED = """
FOR change IN
    WITH ours AS (
        SELECT oid, nspname, nspowner FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    ), extension AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
    SELECT format('ALTER SCHEMA %I OWNER TO m26', nspname)
    FROM ours WHERE nspowner = 10
    UNION ALL
    SELECT format('ALTER TABLE %s OWNER TO m26', c.oid::regclass)
    FROM pg_class AS c JOIN ours ON ours.oid = c.relnamespace
    WHERE c.relowner = 10 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND NOT EXISTS (SELECT FROM extension WHERE classid = c.tableoid AND objid = c.oid)
        AND NOT EXISTS (
            SELECT FROM pg_depend
            WHERE classid = c.tableoid AND objid = c.oid AND c.relkind = 'S'
                AND deptype IN ('a', 'i')
        )
    UNION ALL
    SELECT format('ALTER ROUTINE %s OWNER TO m26', p.oid::regprocedure)
    FROM pg_proc AS p JOIN ours ON ours.oid = p.pronamespace
    WHERE p.proowner = 10
        AND NOT EXISTS (SELECT FROM extension WHERE classid = p.tableoid AND objid = p.oid)
    UNION ALL
    SELECT format('ALTER TYPE %s OWNER TO m26', t.oid::regtype)
    FROM pg_type AS t JOIN ours ON ours.oid = t.typnamespace
    LEFT JOIN pg_class AS row ON row.oid = t.typrelid
    WHERE t.typowner = 10 AND (t.typtype IN ('d', 'e', 'r') OR row.relkind = 'c')
        AND NOT EXISTS (SELECT FROM extension WHERE classid = t.tableoid AND objid = t.oid)
LOOP
    EXECUTE change;
END LOOP;
"""


def first() -> str:
    """For the database ``postgres`` of a new server: the roles, and the database of m26."""
    return _do(_MADE) + "CREATE DATABASE m26 OWNER m26\n"


def arranged() -> str:
    """For the database ``m26`` of any server, in one transaction: what is not so yet."""
    work = _do(_RENAMED + _MADE + "ALTER DATABASE m26 OWNER TO m26;" + _OWNED)
    return f"BEGIN\n{work}COMMIT\n"


def _do(body: str) -> str:
    """One line, as single-user mode wants a statement."""
    return f"DO $$ DECLARE change text; BEGIN {' '.join(body.split())} END $$\n"
