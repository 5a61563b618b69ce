"""The three standard streams: open, able to show anything, and quiet when nobody reads them."""

from __future__ import annotations

import os
import sys

from m26.errors import StorageError


def prepare() -> None:
    """Open what the caller has closed; replace what a stream's encoding cannot show.

    A descriptor below 3 that is closed would be given to the next file or socket, and take what is
    printed for it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - of the process
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115
        else:
            stream.reconfigure(errors="replace")


def finish() -> None:
    """Write out what was printed.

    Raises:
        BrokenPipeError: its reader went away.
        StorageError: it could not be written.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(
            f"what was printed could not be written: {error.strerror}",
            hint="Print to another place.",
        ) from None


def give_up() -> None:
    """What a stream has not taken by now is lost: the interpreter's own end shall not repeat it."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
