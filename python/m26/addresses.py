"""Addresses of servers: as consoles print them in, as our clients understand them out.

Another machine means verified TLS, unless the address itself says otherwise. What is said about an
address never holds its password, nor what may be a part of one.
"""

from __future__ import annotations

import configparser
import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pydantic import SecretStr

from m26.protection import are_local, has_own_authority, system_certificates

_MAX_PORT = 65535
_UNESCAPED = (
    "its user, password or database holds a character that has to be percent-encoded: "
    "/ as %2F, ? as %3F, @ as %40, # as %23, & as %26, % as %25"
)
_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]\s]*)(?::(\d{0,5}))?")
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|\Z)", re.DOTALL)
_FILES = (
    "sslrootcert",
    "sslcert",
    "sslkey",
    "sslcrl",
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
)
_YES = ("true", "1", "yes", "on", "require")
_NO = ("false", "0", "no", "off", "disable")


@dataclass(frozen=True, slots=True)
class _Client:
    """What a client reads of an address, and what is left out for it."""

    schemes: tuple[str, ...]
    known: str
    """Parameters that it takes."""
    left_out: str
    """Those that m26 decides itself, that it cannot do, or that are meant for other clients."""
    advice: str


_POSTGRES = _Client(
    ("postgresql", "postgres"),
    # `options` is for the server.
    "host port user password dbname database options passfile service target_session_attrs"
    " sslmode sslnegotiation sslrootcert sslcert sslkey sslpassword sslcrl krbsrvname gsslib"
    " ssl_min_protocol_version ssl_max_protocol_version",
    "application_name fallback_application_name client_encoding connect_timeout keepalives"
    " keepalives_idle keepalives_interval keepalives_count tcp_user_timeout"
    " channel_binding gssencmode sslcompression sslsni sslcertmode load_balance_hosts"
    " pgbouncer connection_limit pool_timeout schema supa workaround prepareThreshold",
    "take it out, or write a setting of the server as options=-c%20NAME%3DVALUE",
)
_REDIS = _Client(
    ("redis", "rediss", "unix"),
    "db username password protocol ssl_cert_reqs ssl_ca_certs ssl_ca_path ssl_ca_data"
    " ssl_certfile ssl_keyfile ssl_password ssl_check_hostname ssl_min_version"
    " ssl_ciphers",
    "timeout socket_timeout socket_connect_timeout socket_keepalive socket_read_size"
    " health_check_interval retry_on_timeout max_connections client_name decode_responses"
    " encoding encoding_errors legacy_responses connectTimeout commandTimeout family",
    "take it out",
)


@dataclass(slots=True)
class _Address:
    """An address in pieces; those of `query` are decoded, the others percent-encoded."""

    scheme: str
    user: str
    password: str
    hosts: str
    path: str
    query: dict[str, str]

    def __str__(self) -> str:
        who = f"{self.user}{':' if self.password else ''}{self.password}"
        asked = "&".join(f"{k}={quote(v, safe='/:,@')}" for k, v in self.query.items())
        return (
            f"{self.scheme}://{who}{'@' if who else ''}{self.hosts}{self.path}"
            f"{'?' if asked else ''}{asked}"
        )


def postgres_address(given: SecretStr) -> SecretStr:
    """A DSN of PostgreSQL, as libpq's URL or its key-value form, in the form the driver takes.

    Raises:
        ValueError: it is no such address, or asks for what m26 cannot do.
    """
    text = given.get_secret_value().strip()
    address = _parse(_from_pairs(text) if re.match(r"\w+\s*=", text) else text, _POSTGRES)
    _add_surroundings(address)
    query = address.query
    if query.get("sslrootcert") == "system":  # as libpq has it: the host's name is checked, too
        query |= {"sslmode": "verify-full", "sslrootcert": system_certificates()}
    if not are_local(address.hosts or query.get("host", "")):
        query.setdefault("sslmode", "verify-full")
        if query["sslmode"] == "verify-full" and not has_own_authority(query):
            query["sslrootcert"] = system_certificates()
    _check_files(query)
    database = query.pop("dbname", "") or query.pop("database", "")
    if address.path in {"", "/"} and database:
        address.path = f"/{quote(database, safe='')}"
    host = query.get("host", "")
    if host and not address.hosts and not re.search("[/,]", host):
        port = query.pop("port", "")
        del query["host"]
        address.hosts = (f"[{host}]" if ":" in host else host) + (port and f":{port}")
    return _checked(address)


def redis_address(given: SecretStr) -> SecretStr:
    """A URL of Redis or Valkey in the form the client takes.

    Raises:
        ValueError: it is no such address, or asks for what m26 cannot do.
    """
    address = _parse(given.get_secret_value().strip(), _REDIS)
    query, scheme = address.query, address.scheme
    tls = query.pop("sslmode", "")
    if tls == "require" and scheme == "redis":
        scheme = address.scheme = "rediss"
    if "ssl_cert_reqs" in query:
        wanted = query["ssl_cert_reqs"] = query["ssl_cert_reqs"].lower().removeprefix("cert_")
        if wanted not in {"none", "optional", "required"}:
            raise ValueError("its parameter ssl_cert_reqs is none, optional or required")
    for name in query:
        if name.startswith("ssl_") and scheme != "rediss":
            raise ValueError(f"its parameter {name} is for TLS: begin it with rediss://")
    if scheme != "unix" and not re.fullmatch(r"(?:/\d*)?/?", address.path):
        raise ValueError("behind its host there may be a number, that of the database, and no more")
    if scheme == "redis" and not (tls or are_local(address.hosts)):
        raise ValueError(
            "without TLS anybody on the way to another machine reads its password and all data: "
            "begin it with rediss://, or add tls=off to its parameters where that way is your own"
        )
    _check_files(query)
    return _checked(address)


def first_host(url: str) -> tuple[str, int | None]:
    """Name and port of the first host of an address; an empty name and None where it has none."""
    match = _HOST.match(urlsplit(url).netloc.rpartition("@")[2].split(",")[0])
    assert match is not None, "settings are checked"
    return unquote(match[1].strip("[]")), int(match[2]) if match[2] else None


def _add_surroundings(address: _Address) -> None:
    """What the driver would take from its environment and the operator's file of services.

    So that it is known here who is connected to, and who is believed.
    """
    query = address.query
    name = query.pop("service", "") or os.environ.get("PGSERVICE", "")
    if name:
        file = Path(os.environ.get("PGSERVICEFILE") or Path.home() / ".pg_service.conf")
        services = configparser.ConfigParser(interpolation=None)
        try:
            services.read(file)
            found = dict(services[name])
        except (configparser.Error, KeyError):
            raise ValueError(f"its service is not in {file}") from None
        user, password = found.pop("user", ""), found.pop("password", "")
        address.user = address.user or quote(user, safe="")
        address.password = address.password or quote(password, safe="")
        for key in _POSTGRES.known.split():
            if key in found and not (address.hosts and key in {"host", "port"}):
                query.setdefault(key, found[key])
    if not address.hosts and os.environ.get("PGHOST"):
        query.setdefault("host", os.environ["PGHOST"])
    if os.environ.get("PGSSLROOTCERT"):
        query.setdefault("sslrootcert", os.environ["PGSSLROOTCERT"])


def _from_pairs(text: str) -> str:
    """The form ``host=… dbname=…`` of libpq as a URL."""
    asked, end = [], 0
    while match := _PAIR.match(text, end):
        bare = match[2][1:-1] if match[2].startswith("'") else match[2]
        value = re.sub(r"\\(.)", r"\1", bare, flags=re.DOTALL)
        asked.append(f"{match[1]}={quote(value, safe='')}")
        end = match.end()
    if text[end:].strip():
        raise ValueError("write it as postgresql://user:password@host:5432/database")
    return f"postgresql:///?{'&'.join(asked)}"


def _parse(text: str, client: _Client) -> _Address:
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in client.schemes:
        raise ValueError(f"it begins with {' or '.join(f'{s}://' for s in client.schemes)}")
    # No part of such an address begins at a #; an @ before the host's own belongs to what is
    # before it. Where a / or a ? was meant is not known.
    match = re.fullmatch(r"([^/?]*)([^?]*)\??(.*)", rest.replace("#", "%23"), re.DOTALL)
    assert match is not None, "anything is of this form"
    credentials, _, hosts = match[1].rpartition("@")
    is_cut = bool(match[1]) and "@" in match[2] + match[3]
    user, _, password = (quote(part, safe="%") for part in credentials.partition(":"))
    address = _Address(scheme, user, password, hosts, match[2], {})
    if is_cut and ("@" in match[2] or not _are_hosts(hosts)):
        raise ValueError(_UNESCAPED)
    _ask(address, match[3], client, is_cut=is_cut)
    return address


def _ask(address: _Address, text: str, client: _Client, *, is_cut: bool) -> None:
    """Read the parameters; names of those that may be a piece of a password are not told."""
    query, known, left_out = address.query, client.known.split(), client.left_out.split()
    for pair in filter(None, text.split("&")):
        name, equals, value = (unquote(part) for part in pair.partition("="))
        if name in {"ssl", "tls"}:  # of clients in JavaScript and Java
            if value.lower() in {*_YES, *_NO}:
                query.setdefault("sslmode", "require" if value.lower() in _YES else "disable")
        elif name in known and value:
            query[name] = value
        elif name not in {*known, *left_out}:
            if is_cut or not equals or not re.fullmatch(r"[A-Za-z][\w.-]{,40}", name):
                raise ValueError(_UNESCAPED)
            raise ValueError(f"m26 cannot do what its parameter {name} asks for: {client.advice}")
        elif (name, value) == ("gssencmode", "require"):
            raise ValueError("m26 cannot do gssencmode=require; TLS is sslmode=verify-full")
    user, password = query.pop("user", query.pop("username", "")), query.pop("password", "")
    address.user = address.user or quote(user, safe="")
    address.password = address.password or quote(password, safe="")


def _checked(address: _Address) -> SecretStr:
    text = str(address)
    try:
        urlsplit(text)
    except ValueError:
        address.hosts = "["  # its own message repeats all of the address
    if not _are_hosts(address.hosts):
        raise ValueError("its host and port are not of the form host:port")
    return SecretStr(text)


def _are_hosts(text: str) -> bool:
    matches = [_HOST.fullmatch(host) for host in text.split(",")]
    return all(match and int(match[2] or 1) <= _MAX_PORT for match in matches)


def _check_files(query: dict[str, str]) -> None:
    for name in _FILES:
        if name in query and not (Path(query[name]).is_file() and os.access(query[name], os.R_OK)):
            raise ValueError(f"the file of its parameter {name} cannot be read: {query[name]}")
