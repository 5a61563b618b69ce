"""The errors m26 raises, each with what happened, why, and what to do about it.

M26Error
├── UsageError          exit 2   the command line asks for something impossible
├── ConfigError         exit 3   a setting, profile or file of the operator is wrong
├── AuthError           exit 4   no usable credential, or the upstream refuses it
├── UpstreamError       exit 5   the gateway cannot be used now
│   └── TransportError           the reply did not arrive whole; nothing of it is used
├── StorageError        exit 6   PostgreSQL, Redis or the journal cannot take data
│   └── OutageError              later it may
├── ShapeError          exit 7   no row could be read: the payload's shape is unknown
├── HomeLockedError     exit 75  another collector holds this home
└── TwinError           exit 75  another copy of this home's journal writes to its database
"""

from __future__ import annotations

import errno
import os

_HOME = "or choose another home by --home or M26_HOME."
_REMEDIES = {
    errno.ENOSPC: f"Free some space on that disk, {_HOME}",
    errno.EDQUOT: f"Free some space of your quota there, {_HOME}",
    errno.EROFS: f"That disk is mounted read-only: mount it for writing, {_HOME}",
    errno.EACCES: f"Correct its owner and permissions, {_HOME}",
    errno.EPERM: f"Correct its owner and permissions, {_HOME}",
    errno.ENOTDIR: f"Move away the file that is in its place, {_HOME}",
    errno.EEXIST: f"Move away the file that is in its place, {_HOME}",
    errno.EIO: "The disk fails, `dmesg` says how: restore the home on another one.",
}


class M26Error(Exception):
    """Base of every error m26 raises on purpose.

    Args:
        message: what happened and why, one sentence, free of secrets.
        hint: what the reader should do next.
    """

    exit_code = 1
    code = "error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def first_cause(error: BaseException) -> BaseException:
    """Of a group the error that is made for people, else its first; any other error itself."""
    while isinstance(error, BaseExceptionGroup):
        told = error.subgroup(M26Error)
        error = (told or error).exceptions[0]
    return error


def remedy(why: str, *, otherwise: str = f"Correct it, {_HOME}") -> str:
    """What helps where a file or folder of the home cannot be used.

    Args:
        why: the system's words, which may stand in a longer text.
        otherwise: what to say where they are other ones.
    """
    found = (hint for number, hint in _REMEDIES.items() if os.strerror(number) in why)
    return next(found, otherwise)


class UsageError(M26Error):
    """The command line asks for something that cannot be done."""

    exit_code = 2
    code = "usage"


class ConfigError(M26Error):
    """A setting, a profile field or a file named by the operator is wrong."""

    exit_code = 3
    code = "config"


class AuthError(M26Error):
    """There is no usable credential, or the upstream refuses the one there is."""

    exit_code = 4
    code = "auth"


class UpstreamError(M26Error):
    """The gateway cannot be used now: limit, maintenance, restriction."""

    exit_code = 5
    code = "upstream"


class TransportError(UpstreamError):
    """A reply did not arrive whole: refused, reset, cut, too slow or too large."""

    code = "transport"


class StorageError(M26Error):
    """PostgreSQL, Redis or the journal cannot take what was received."""

    exit_code = 6
    code = "storage"


class OutageError(StorageError):
    """A server does not answer now, or no file can be opened now; later the same may succeed."""


class ShapeError(M26Error):
    """Not one row could be read from the input: its shape is unknown to m26."""

    exit_code = 7
    code = "shape"


def of_surroundings(error: OSError) -> StorageError:
    """What the machine refuses, as an error that says so."""
    where = f"cannot use {error.filename}: " if error.filename else ""
    return StorageError(
        f"{where}{error.strerror or error}",
        hint="Run `m26 doctor`; with --debug the command says where it happened.",
    )


class HomeLockedError(M26Error):
    """Another collector holds this home's lock."""

    exit_code = 75
    code = "locked"


class TwinError(M26Error):
    """Another copy of this home's journal stores under the same name, other replies than ours."""

    exit_code = 75
    code = "twin"
