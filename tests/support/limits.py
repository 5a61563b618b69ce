"""Descriptors of the test's own process, used up for the length of a block."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def free_descriptors(count: int) -> Iterator[None]:
    """No more than `count` descriptors can be had inside the block."""
    gc.collect()  # what nobody holds any more would close its own meanwhile
    lowest = os.open("/", os.O_PATH)
    os.close(lowest)  # all below it are in use
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
