"""m26 as a library: normalize captured auction-house replies fast and offline.

Nothing imported here loads a network library.
"""

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
from m26.normalize import normalize
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
