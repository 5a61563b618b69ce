"""Relays and what they publish from: made-up histories, and what a consumer sees of the stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from redis.asyncio import Redis

from m26.errors import StorageError
from m26.publish.client import connect
from m26.publish.relay import STREAM, Relay
from m26.status.telemetry import Telemetry
from m26.wake import Wake

TRADERS = "traders"

T = TypeVar("T")
Hook = Callable[[str], Awaitable[None]]


class Past:
    """A database: which events it has, under dense numbers; `restore` gives it another past."""

    def __init__(self, count: int = 0, *, identity: int = 1) -> None:
        self.identity, self.life, self.pruned = identity, 0, 0
        self.rows: list[str] = []
        self.commit(count)

    def commit(self, count: int) -> None:
        for _ in range(count):
            seq = len(self.rows) + 1
            self.rows.append(json.dumps({"seq": seq, "auction_id": seq, "bids": self.life}))

    def restore(self, seq: int) -> None:
        """An older dump; what happens from now on is other than what happened."""
        del self.rows[seq:]
        self.life += 1


class View:
    """A relay's connection to a database; `hook` runs between its answer and the relay."""

    def __init__(self, past: Past, hook: Hook | None = None) -> None:
        self.past, self.hook = past, hook
        self.away = False

    async def _answer(self, name: str, value: T) -> T:
        if self.away:
            raise StorageError("away")
        if self.hook is not None:
            await self.hook(name)
        return value

    async def database_id(self) -> str:
        return await self._answer("database_id", str(UUID(int=self.past.identity)))

    async def head(self) -> int:
        return await self._answer("head", len(self.past.rows))

    async def first_seq(self) -> int:
        kept = len(self.past.rows) > self.past.pruned
        return await self._answer("first_seq", self.past.pruned + 1 if kept else 0)

    async def events(self, after: int, limit: int) -> list[tuple[int, str]]:
        first = max(after, self.past.pruned)
        rows = list(enumerate(self.past.rows[first : first + limit], first + 1))
        return await self._answer("events", rows)


class Made:
    """A relay with all that is its own."""

    def __init__(self, redis: Redis, past: Past, *, maxlen: int = 1_000_000) -> None:
        self.view, self.telemetry = View(past), Telemetry()
        self.relay = Relay(redis, self.view, maxlen=maxlen, wake=Wake(), telemetry=self.telemetry)

    async def catch_up(self) -> int:
        return await self.relay.catch_up()

    def once(self, name: str, action: Callable[[], Awaitable[object]], *, nth: int = 1) -> None:
        """Do something after the nth answer of that name, before the relay hears it."""
        answers = 0

        async def hook(asked: str) -> None:
            nonlocal answers
            answers += asked == name
            if answers == nth:
                self.view.hook = None
                await action()

        self.view.hook = hook

    @property
    def reason(self) -> str:
        return next((c.reason for c in self.telemetry.status.conditions), "")


@asynccontextmanager
async def client(url: str, *, as_text: bool = True) -> AsyncIterator[Redis]:
    made = connect(url, as_text=as_text)
    try:
        yield made
    finally:
        await made.aclose()


async def entries(redis: Redis) -> list[tuple[int, str]]:
    found: Any = await redis.xrange(STREAM)
    return [(int(entry.removesuffix("-0")), fields["data"]) for entry, fields in found]


async def is_history(redis: Redis, past: Past, *, first: int = 1) -> None:
    """The stream is dense from `first` to the head, and each entry what history says."""
    assert await entries(redis) == list(enumerate(past.rows, 1))[first - 1 :]


async def groups(redis: Redis) -> dict[str, int]:
    found: Any = await redis.xinfo_groups(STREAM) if await redis.exists(STREAM) else []
    return {g["name"]: int(g["last-delivered-id"].split("-")[0]) for g in found}


async def read(redis: Redis, group: str, count: int) -> list[str]:
    reply: Any = await redis.xreadgroup(group, "one", {STREAM: ">"}, count=count)
    pages = reply.values() if isinstance(reply, dict) else [page for _, page in reply or ()]
    found = [entry for page in pages for entry in page]
    flat = [e for f in found for e in (f if isinstance(f, list) else [f])]
    return [fields["data"] for _, fields in flat]
