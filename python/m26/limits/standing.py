"""How an account stands with the upstream: its pause, and what was done about each failure."""

from __future__ import annotations

import time
from collections.abc import Callable

from m26.limits.book import Book, Entries, Pause
from m26.limits.waiting import when_free
from m26.upstream.verdicts import Action, Escalation, Step, Verdict


class Standing:
    """Kept in the account's book: a restart forgets no pause and meets no failure as a new one.

    Args:
        book: of the account.
        clock: Unix seconds.
    """

    def __init__(self, book: Book, *, clock: Callable[[], float] = time.time) -> None:
        self._book = book
        self._clock = clock
        self._has_memories = bool(book.look().taken)
        self._may_be_paused = True

    async def step(self, verdict: Verdict) -> Step:
        """What to do about `verdict` now; a pause begins with that.

        A renewal counts when it is `done`, and a STOP when it is in ``stop.json``: a kill between
        must not make more of them than there was.

        Raises:
            StorageError: it cannot be written down.
        """
        now, step = self._clock(), Step(verdict.action)

        def change(entries: Entries, past: Escalation) -> bool:
            nonlocal step
            step = past.step(verdict, now=now)
            if step.action is Action.PAUSE:
                pause = Pause(
                    until=now + step.seconds,
                    seconds=step.seconds,
                    reason=verdict.reason,
                    message=verdict.message,
                    advice=verdict.advice,
                )
                # Another process may have been told to wait longer: the longer pause is kept.
                if entries.pause is None or entries.pause.until < pause.until:
                    entries.pause = pause
            return step.action in (Action.RETRY, Action.PAUSE)

        await self._change(change)
        self._has_memories = self._may_be_paused = True
        return step

    async def stopped(self, reason: str) -> None:
        """A STOP for `reason` is written down: it starts afresh, and no burst follows."""
        now = self._clock()

        def change(entries: Entries, past: Escalation) -> None:
            past.forget(reason)
            entries.eased_at = now

        await self._change(change)

    async def done(self, verdict: Verdict) -> None:
        """The renewal that `verdict` asked for was made."""
        now = self._clock()
        await self._change(lambda _, past: past.step(verdict, now=now))
        self._has_memories = True

    async def succeeded(self) -> None:
        """A good reply came."""
        if self._has_memories:
            await self._change(lambda _, past: past.succeeded())
            self._has_memories = False

    async def paused(self) -> Pause | None:
        """The pause that holds now, if any."""
        if not self._may_be_paused:
            return None
        pause = await when_free(self._pause)
        self._may_be_paused = pause is not None and pause.until > self._clock()
        return pause if self._may_be_paused else None

    def _pause(self) -> Pause | None:
        with self._book.turn() as entries:
            return entries.pause

    async def _change(self, change: Callable[[Entries, Escalation], object]) -> None:
        """Change what is remembered; nothing is written when `change` returns False."""

        def write() -> None:
            with self._book.turn() as entries:
                past = Escalation(entries.taken, set(entries.forgiving))
                if change(entries, past) is False:
                    return
                entries.taken = {why: times for why, times in past.taken.items() if times}
                entries.forgiving = sorted(past.forgiving)
                self._book.save(entries)

        await when_free(write)
