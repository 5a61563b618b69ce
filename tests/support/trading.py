"""A seed in, a small market out: lots with their truth, and pages of them by a script.

The list is by posting, newest first. It shares no rule with what is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from zlib import crc32

from tests.support.wire import T0, auction, body, card, page

from m26.models import Record

SEARCH = {"filters": [], "itemName": ""}
EARLY = ("buyout", "cancelled")


@dataclass(frozen=True)
class Lot:
    """One auction and its truth; times are seconds after T0."""

    id: int
    posted: int
    length: int
    buyout: int
    end: int
    outcome: str
    """buyout, bid, expired or cancelled."""
    bid_at: int
    copy: int
    acquired: int

    @property
    def expires(self) -> int:
        return self.posted + self.length

    def shown(self, now: float) -> dict[str, Any]:
        """As a reply shows it."""
        over = now >= self.end
        bids = int(self.outcome == "bid" and now >= self.bid_at)
        bid = 300 if bids else 100
        status = {"buyout": "ENDED", "bid": "ENDED", "expired": "EXPIRED", "cancelled": "CANCELLED"}
        if over and self.outcome == "buyout":
            bids, bid = 1, self.buyout
        return auction(
            self.id,
            bid=bid,
            bids=bids,
            buyoutPrice=self.buyout,
            secondsRemaining=0 if over else int(self.expires - now),
            postingTime=T0 + self.posted,
            auctionStatus=f"AUCTIONSTATUS_{status[self.outcome] if over else 'ACTIVE'}",
            card=card(instance=self.copy, acquisitionTimestamp=(T0 + self.acquired) * 1_000_000),
        )


def lots(seed: int, *, hours: float = 5, per_hour: int = 90) -> list[Lot]:
    """Auctions of one hour, posted evenly; a third is bought, a third expires."""
    draw, made = Random(seed), []
    for n in range(int(hours * per_hour)):
        posted, length = int(n * 3600 / per_hour) - 1800, 3600
        outcome = draw.choices(("buyout", "bid", "expired", "cancelled"), (35, 25, 37, 3))[0]
        early = outcome in EARLY
        end = posted + (draw.randrange(60, length - 60) if early else length)
        bid_at = posted + draw.randrange(30, length // 2)
        buyout = draw.choice((900, 1500, 2000, 2600))
        made.append(Lot(100 + n, posted, length, buyout, end, outcome, bid_at, 5000 + n, -9_000))
    return made


@dataclass(frozen=True)
class Upstream:
    """Answers as a gateway would."""

    lots: Sequence[Lot]
    ended: str = "full"
    """Or omitted: a refresh leaves out what has ended."""
    size: int = 20

    def search(self, now: int, offset: int = 0) -> tuple[dict[str, Any], bytes]:
        alive = [lot for lot in reversed(self.lots) if lot.posted <= now < lot.end]
        shown = [lot.shown(now) for lot in alive[offset : offset + self.size]]
        return {**SEARCH, "offset": offset, "count": self.size}, body(*shown, at=T0 + now)

    def refresh(self, now: int, ids: Sequence[int]) -> tuple[dict[str, Any], bytes]:
        asked = [lot for lot in self.lots if lot.id in set(ids)]
        kept = [lot for lot in asked if self.ended == "full" or now < lot.end]
        shown = [lot.shown(now) for lot in kept]
        return {"auctionIdList": list(ids)}, body(*shown, at=T0 + now)


def records(
    upstream: Upstream, *, start: int = 0, stop: int = 4 * 3600, step: int = 20, seed: int = 1
) -> list[Record]:
    """What a simple collector journals: pages of the front, some further back, and refreshes."""
    draw, made = Random(seed), list[Record]()
    seen: dict[int, Lot] = {}
    by_id = {lot.id: lot for lot in upstream.lots}
    for n, now in enumerate(range(start, stop, step)):
        over = [i for i, lot in seen.items() if lot.expires + 5 < now < lot.expires + 900]
        if n % 3 == 2 and seen:
            alive = [i for i, lot in seen.items() if lot.expires > now]
            ids = sorted({*over[:10], *draw.sample(alive, min(len(alive), 10))})
            for i in over[:10]:
                del seen[i]
            query, content = upstream.refresh(now, ids)
        else:
            query, content = upstream.search(now, draw.choice((0, 0, 15, 30, 45)))
            shown = json.loads(content)["responseInfo"]["value"]["details"]
            seen |= {each["auctionId"]: by_id[each["auctionId"]] for each in shown}
        made.append(record(len(made), query, content, now))
    return made


def record(pos: int, query: dict[str, Any], content: bytes, now: float, **fields: Any) -> Record:
    """A reply at its place; received as soon as it was made."""
    at = int((T0 + now) * 1_000_000)
    made = page(content, fetched_at=at, query=json.dumps(query))
    return Record(pos, replace(made, **fields), checksum=crc32(content, pos))


def batches(given: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    """The records, so many at a time."""
    return (given[at : at + size] for at in range(0, len(given), size))
