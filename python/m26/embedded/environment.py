"""What the programs that m26 starts get to see: what they need, and neither secrets nor libpq's."""

from __future__ import annotations

import os

SERVER = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""All that a server gets: settings of m26 may be secrets."""
_PYTHON = (
    *("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE"),
    *("LD_LIBRARY_PATH", "PYTHONPATH"),
)
_LIBPQ = "PG"
"""What the names of libpq's variables begin with: they would lead a client of ours elsewhere."""


def of_python(**more: str) -> dict[str, str]:
    """For this interpreter run once more, with `more`."""
    return {name: os.environ[name] for name in _PYTHON if name in os.environ} | more


def of_shell() -> dict[str, str]:
    """The user's own, for a program that talks to the user."""
    hidden = (_LIBPQ, "M26_")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


def forget_libpq() -> None:
    """Take libpq's variables out of our own: the driver would add them to the embedded address."""
    for name in [name for name in os.environ if name.startswith(_LIBPQ)]:
        del os.environ[name]
