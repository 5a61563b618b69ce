"""What ``m26 doctor`` finds of PostgreSQL and Redis before anybody connects to them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from m26.cli.checks import Check
from m26.errors import ConfigError
from m26.protection import Protection, protection

if TYPE_CHECKING:
    from m26.config import Loaded

_PATIENCE = 3.0
_WAYS: dict[Protection, str] = {
    "local": "on this machine",
    "verify-full": "encrypted (TLS), its certificate and name are checked",
    "verify-ca": "encrypted (TLS), its certificate is checked, its name is not",
    "require": "encrypted (TLS), to whoever answers: its certificate is not checked",
    "prefer": "encrypted (TLS) only if whoever answers wants it",
    "disable": "not encrypted: password and data can be read on the way",
}


def postgres(loaded: Loaded) -> Check:
    """The given PostgreSQL answers, or the embedded one can be started."""
    settings = loaded.settings
    if settings.postgres.dsn is None:
        from m26.embedded.binaries import postgres_folder

        return Check("PostgreSQL", "ok", f"embedded, from {postgres_folder(settings.pg_bin)}")
    return _reached("PostgreSQL", "M26_POSTGRES__DSN", settings.postgres.dsn.get_secret_value())


def redis(loaded: Loaded) -> Check:
    """The given Redis answers, or the embedded Valkey can be started."""
    if loaded.settings.redis.url is None:
        from m26.embedded.binaries import valkey_server

        return Check("Redis", "ok", f"embedded, from {valkey_server()}")
    return _reached("Redis", "M26_REDIS__URL", loaded.settings.redis.url.get_secret_value())


def _reached(name: str, variable: str, url: str) -> Check:
    """Whether anything listens at `url`; who and what it is, the schema check finds out."""
    where, family, address = _address(variable, url)
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PATIENCE)
        try:
            probe.connect(address)
        except OSError as error:
            found = f"nothing answers at {where}: {error.strerror or error}"
            return Check(name, "fail", found, f"Start that server, or correct {variable}")
    way = protection(url)
    found = f"given, listens at {where}; {_WAYS[way]}"
    if way in {"local", "verify-full"}:
        return Check(name, "ok", found)
    scheme = "rediss://" if url.startswith("redis") else "sslmode=verify-full"
    fix = f"Write {scheme} into {variable}, unless nobody else is on the way to it"
    return Check(name, "warn", found, fix)


def _address(variable: str, url: str) -> tuple[str, socket.AddressFamily, Any]:
    from m26.addresses import first_host

    parts, (name, given) = urlsplit(url), first_host(url)
    default = 5432 if parts.scheme.startswith("postgres") else 6379
    query = parse_qs(parts.query)
    host = query.get("host", [name or "localhost"])[0].split(",")[0]
    number = int(query.get("port", [str(given or default)])[0].split(",")[0])
    if parts.scheme == "unix":
        return parts.path, socket.AF_UNIX, parts.path
    if host.startswith("/"):
        path = f"{host}/.s.PGSQL.{number}"
        return path, socket.AF_UNIX, path
    where = f"{host} port {number}"
    try:
        found = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigError(
            f"the host of {where} is not known: {error.strerror}", hint=f"Correct {variable}"
        ) from None
    return where, found[0], found[4]
