"""Few cards and few prices: pages and outcomes out that say anything of anything, in any order."""

from __future__ import annotations

import random
from typing import Any

from tests.support import wire
from tests.support.storing import Process

from m26.store.closings import Closing, Inferred

HOUR = 3_600
FIRST_CARD, CARDS, _AUCTIONS = 13522975, 2, 16


class Market:
    """Few cards, few prices, and auctions of which anything may be said."""

    def __init__(self, rng: random.Random, *, now: float = wire.T0, first: int = 1) -> None:
        self.rng, self.now = rng, float(now)
        self.lots = {
            number: (
                int(now) + rng.randint(-30, 30) * HOUR + rng.randint(0, HOUR),
                rng.choice((1, 8, 24, 72)) * HOUR,
                FIRST_CARD + rng.randrange(CARDS),
                rng.choice((0, 800, 900, 1000, 1000, 1100, 1200, 1500)),
                rng.randint(1, 9),
            )
            for number in range(first, first + _AUCTIONS)
        }

    async def store(self, process: Process) -> None:
        """A reply, and what is inferred of some auctions, by one part or the other."""
        rng, page = self.rng, self.page()
        known = await process.connection.fetch("SELECT auction_id FROM m26.auction")
        chosen = rng.sample(known, min(len(known), rng.choice((0, 0, 1, 2))))
        inferred = [self.inferred(number) for (number,) in chosen]
        await process.store(page, inferred=inferred, part=rng.choice("aab"), careful=True)

    def page(self) -> bytes:
        """A reply; now and then one that is older than the one before."""
        rng = self.rng
        self.now += rng.choice((5, 600, HOUR, 9 * HOUR))
        at = self.now - rng.choice((0, 0, 0, 2 * HOUR))
        begun = [number for number, lot in self.lots.items() if lot[0] < at]
        running = [n for n in begun if sum(self.lots[n][:2]) > at or rng.random() < 0.05]
        shown = rng.sample(running, min(len(running), 4))
        return wire.body(*(self._shown(number, at) for number in shown), at=at)

    def _shown(self, number: int, at: float) -> dict[str, Any]:
        posted, life, card_id, buyout, instance = self.lots[number]
        left = max(0, int(posted + life - at))
        bids = self.rng.choice((0, 0, 1, 2))
        over = ("ENDED", "ENDED", "EXPIRED", "CANCELLED")
        status = self.rng.choice(("ACTIVE",) * 30 + over if left else over)
        return wire.auction(
            number,
            bid=700 + 100 * bids,
            bids=bids,
            buyoutPrice=buyout,
            card=wire.card(card_id, instance=instance),
            postingTime=posted,
            secondsRemaining=left + self.rng.choice((0, 0, 300)) if left else 0,
            auctionStatus=f"AUCTIONSTATUS_{status}",
        )

    def inferred(self, number: int) -> Inferred:
        """An outcome that no observation says, or a better one."""
        rng, posted = self.rng, self.lots[number][0]
        ended = min(self.now, posted + rng.random() * 30 * HOUR)
        evidence = rng.choice(("absent", "past_expiry", "final_window", "relisted"))
        sold = rng.random() < 0.7
        sure = rng.choice((0.5, 0.9))
        micros = int(ended * 1e6)
        closing: Closing = (
            "sold" if sold else "expired",
            rng.choice(("bid", "buyout")) if sold else None,
            evidence,
            sure,
            rng.choice((850, 950, 1200)) if sold else None,
            sure if sold else None,
            micros - 1_000_000,
            micros + 1_000_000,
            micros,
        )
        return (0, "ps5", number, int(self.now * 1e6), closing)
