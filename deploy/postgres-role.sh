#!/bin/sh
# Run once by the image of PostgreSQL, in a new volume: m26 owns its database and is no superuser.
# The superuser has no password then: it is let in by the container's own socket alone.
set -eu
psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\getenv password POSTGRES_PASSWORD
\getenv superuser POSTGRES_USER
CREATE ROLE m26 LOGIN PASSWORD :'password';
GRANT pg_read_all_stats, pg_signal_backend TO m26;
CREATE DATABASE m26 OWNER m26;
ALTER ROLE :"superuser" PASSWORD NULL;
SQL
