"""File descriptors: the process's limit raised as far as it goes, and what happens at its end."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import suppress

from m26.errors import ConfigError, OutageError, StorageError

RESERVED = 256
"""Kept for journal, store and gateway: no client of ours can take them."""
_FEWEST = 32
"""Connections that a server of ours has to be able to hold beside them."""
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE})
ADVICE = (
    "m26 goes on by itself when descriptors are free. Find out who holds them (`lsof`), or raise"
    " the limit (`ulimit -n`, fs.file-max) and start m26 again."
)


def raise_limit() -> None:
    """Set the soft limit to the hard one: shells and service managers begin with a low one.

    What is started afterwards inherits it: PostgreSQL and Valkey take of it what they are set to.

    Raises:
        ConfigError: it leaves too little for connections.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):  # beyond what the system allows: the old one holds
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if (limit := for_connections()) < _FEWEST:
        raise ConfigError(
            f"this process may open {limit + RESERVED} files, and m26 needs {RESERVED + _FEWEST}",
            hint=f"Raise the limit: `ulimit -n {4 * RESERVED}` in the shell that starts m26, "
            f"LimitNOFILE={4 * RESERVED} in a unit of systemd.",
        )


def for_connections() -> int:
    """How many connections a server of this process may hold open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (2**31 if soft == resource.RLIM_INFINITY else soft) - RESERVED


def is_exhausted(error: OSError) -> bool:
    """Whether no descriptor was free: of this process (EMFILE) or the machine (ENFILE)."""
    return error.errno in _EXHAUSTED


def refusal(message: str, error: OSError, *, hint: str) -> StorageError:
    """A failed call as an error that says what to do; one for which no descriptor was free passes.

    Args:
        message: what cannot be done.
        error: why.
        hint: what to do about any other reason.
    """
    message = f"{message}: {error.strerror}"
    if is_exhausted(error):
        return OutageError(message, hint=ADVICE)
    return StorageError(message, hint=hint)


def none_free() -> str:
    """Why no file can be opened now; empty when one can."""
    try:
        os.close(os.open("/", os.O_PATH | os.O_CLOEXEC))
    except OSError as error:
        return f"no_descriptors: no file can be opened: {error.strerror}"
    return ""
