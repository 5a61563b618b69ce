"""Answers of the last second: a question in; its answer, made once for all who ask it, out."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from m26.errors import StorageError
from m26.web.media import Body

_FRESH = 1.0
"""Seconds for which an answer is given again. Floors are as far behind their events anyway; so
whatever is asked by however many is asked of the database once a second."""
_MOST, _LARGEST = 64, 1 << 20
"""Answers that are kept, and bytes of one: a viewer or two for each, in 64 MiB at the most."""


@dataclass(slots=True)
class _Answer:
    """One answer, and how it came about."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    body: Body | None = None
    made_at: float = float("-inf")
    failure: StorageError | None = None
    failed_at: float = float("-inf")


class Kept:
    """The newest answers, each made by one of those who ask for it while the others wait.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answers: OrderedDict[object, _Answer] = OrderedDict()

    async def body(
        self, key: object, make: Callable[[], Awaitable[Body | None]], *, largest: int = _LARGEST
    ) -> Body | None:
        """An answer, if it can be from the last second.

        Args:
            key: the question.
            make: answers it; None: there is no such thing.
            largest: bytes of an answer that is kept.

        Raises:
            StorageError: of `make`; whoever waited for it fails with it.
        """
        asked_at = self._clock()
        answer = self._answers.setdefault(key, _Answer())
        self._answers.move_to_end(key)
        if len(self._answers) > _MOST:
            self._answers.popitem(last=False)
        async with answer.lock:
            if answer.failure is not None and answer.failed_at >= asked_at:
                raise answer.failure
            now = self._clock()
            if answer.body is None or now - answer.made_at > _FRESH:
                try:
                    answer.body, answer.made_at = await make(), now
                except StorageError as error:
                    answer.failure, answer.failed_at = error, self._clock()
                    raise
            body = answer.body
        if body is None or len(body.data) > largest:
            self._answers.pop(key, None)
        return body
