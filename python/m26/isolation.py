"""Our own process: the shell's surroundings in, one that runs only our code and is not dumped out.

It is imported before anything else and so imports, at its top, only what every interpreter has
loaded: any other module might be found in the working folder.
"""

# ruff: noqa: PTH100, PTH109, PTH117 - pathlib is one of those other modules

import os
import sys

_LIBPQ = "PG"
"""What the names of libpq's variables begin with: they would lead a client of ours elsewhere."""
_KEY_LOG = "SSLKEYLOGFILE"
"""Where OpenSSL, asyncpg and `ssl` would write the keys of our connections."""
_PR_SET_DUMPABLE = 4  # <linux/prctl.h>

_core_limits: tuple[int, int] | None = None


def begin() -> None:
    """Isolate this process; to be called before a module is imported that is not ours."""
    _leave_working_folder()
    os.environ.pop(_KEY_LOG, None)
    _leave_no_core()


def core_limits() -> tuple[int, int] | None:
    """Soft and hard limit, in bytes, of a core file as they were at our start; None: unchanged."""
    return _core_limits


def forget_libpq() -> None:
    """Take libpq's variables out of our own: the driver would add them to the embedded address."""
    for name in [name for name in os.environ if name.startswith(_LIBPQ)]:
        del os.environ[name]


def _leave_working_folder() -> None:
    """Import nothing from where the shell happens to stand.

    ``python -m`` puts that folder first, and an empty or relative entry of PYTHONPATH means it.
    """
    try:
        here = os.getcwd()
    except OSError:  # it is gone, and all in it
        return
    if not sys.flags.safe_path and sys.path[0] in {"", here}:
        del sys.path[0]
    if given := os.environ.get("PYTHONPATH"):
        entries = given.split(os.pathsep)
        relative = {os.path.abspath(entry) for entry in entries if not os.path.isabs(entry)}
        sys.path[:] = [entry for entry in sys.path if entry not in relative]


def _leave_no_core() -> None:
    """Memory holds tokens and the vault's key: no core file, no debugger of the same user."""
    global _core_limits  # noqa: PLW0603 - of the process, as limits are
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    _core_limits = _core_limits or (soft, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        import ctypes
    except ImportError:  # an interpreter built without libffi: the limit has to do
        return
    # A limit of 0 does not hold back a core that is piped to a program; this does.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, *map(ctypes.c_ulong, (0, 0, 0, 0)))
