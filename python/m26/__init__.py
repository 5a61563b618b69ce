"""m26 as a library: normalize captured auction-house replies fast and offline.

Each name is imported when it is first asked for, so the command line starts with what its command
needs. Nothing here loads a network library.
"""

from importlib import import_module

TYPE_CHECKING = False
"""A checker knows the name. `typing` could be a file of the folder in which `python -m` is run."""

if TYPE_CHECKING:
    from m26._native import Batch, CopyBuffer, Peek, peek
    from m26.errors import (
        AuthError,
        ConfigError,
        HomeLockedError,
        M26Error,
        ShapeError,
        StorageError,
        TransportError,
        UpstreamError,
        UsageError,
    )
    from m26.models import Page
    from m26.normalizer import normalize
    from m26.offline import read_captures

__all__ = [
    "AuthError",
    "Batch",
    "ConfigError",
    "CopyBuffer",
    "HomeLockedError",
    "M26Error",
    "Page",
    "Peek",
    "ShapeError",
    "StorageError",
    "TransportError",
    "UpstreamError",
    "UsageError",
    "normalize",
    "peek",
    "read_captures",
]

_ELSEWHERE = {
    "Batch": "m26._native",
    "CopyBuffer": "m26._native",
    "Page": "m26.models",
    "Peek": "m26._native",
    "normalize": "m26.normalizer",
    "peek": "m26._native",
    "read_captures": "m26.offline",
}
"""Where the public names are that do not stand in `m26.errors`."""


if not TYPE_CHECKING:  # a checker that sees it takes every misspelt name for one that exists

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_ELSEWHERE.get(name, "m26.errors")), name)
        globals()[name] = value  # asked for once
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
