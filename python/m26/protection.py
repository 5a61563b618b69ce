"""How the way to a server is protected: its address, as a client takes it, in; one word out."""

from __future__ import annotations

import ipaddress
import os
import re
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

Protection = Literal["local", "verify-full", "verify-ca", "require", "prefer", "disable"]
"""PostgreSQL's words, for Redis too, and ``local``: nothing leaves this machine."""

_HOST = re.compile(r"\[[^\]]*\]|[^:]*")
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat
    "/etc/ssl/ca-bundle.pem",  # SUSE
)
"""Where systems keep the authorities they trust, which the driver wants as one file."""


def protection(url: str) -> Protection:
    """What the address of a PostgreSQL or Redis asks for, once a setting's checks have passed it.

    ``verify-full``: encrypted, and the server is the one it says. ``verify-ca``: it is one of that
    authority. ``require``: encrypted, to whoever answers. ``prefer``: encrypted if whoever answers
    wants it. ``disable``: readable for everybody on the way.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.scheme == "unix" or are_local(
        parts.netloc.rpartition("@")[2] or query.get("host", "")
    ):
        return "local"
    if parts.scheme == "redis":
        return "disable"
    if parts.scheme == "rediss":
        if query.get("ssl_cert_reqs", "required") != "required":
            return "require"
        is_named = query.get("ssl_check_hostname", "true").lower() in {"true", "yes", "1", "on"}
        return "verify-full" if is_named else "verify-ca"
    return _of_postgres(query)


def _of_postgres(query: dict[str, str]) -> Protection:
    match query.get("sslmode"):
        case "verify-full" | "verify-ca" | "disable" as mode:
            return mode
        case "require":  # as libpq has it
            return "verify-ca" if has_own_authority(query) else "require"
        case _:
            return "prefer"  # the driver's default; it takes TLS for `allow`, too


def are_local(hosts: str) -> bool:
    """Whether every host of an address, comma separated, is this machine; so are none at all."""
    for each in hosts.split(","):
        match = _HOST.match(each)
        host = unquote(match[0]) if match else each
        if host and not host.startswith("/") and not is_loopback(host):
            return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host, as it is spelled, is this machine alone; other names are not looked up."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def has_own_authority(query: dict[str, str]) -> bool:
    """Whether the driver is told, or finds where libpq looks, whose certificates are believed."""
    return "sslrootcert" in query or (Path.home() / ".postgresql" / "root.crt").exists()


def system_certificates() -> str:
    """The file of the authorities that this system trusts.

    Raises:
        ValueError: there is none where systems have it.
    """
    import ssl

    for file in (ssl.get_default_verify_paths().cafile, *_BUNDLES):
        if file is not None and os.access(file, os.R_OK):
            return file
    raise ValueError("no file of this system's certificates was found: name one in sslrootcert")
