"""A TCP port that nobody else gets: reserved, and free for the server that it is meant for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def reserved() -> Iterator[int]:
    """A port of 127.0.0.1 that nobody is given by chance, for as long as the block lasts.

    A socket that is bound and does not listen refuses connections, as if there were none; who names
    the port and sets SO_REUSEADDR, as servers do, may listen there.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])
