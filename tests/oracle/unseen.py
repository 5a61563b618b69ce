"""How often a sale that looks like the last bidder's was a buyout: a seeded market in, shares out.

    python -m tests.oracle.unseen

An auction with bids that is seen ENDED only after its time went to its last bidder, unless somebody
bought it out after the last look that showed it on offer. The simulator's market never sells an
auction with bids by buyout, so there are two of them here: as it is, and one whose auctions are
bought out with bids as readily as without. The second is the worse case, and what the confidence of
such a sale rests on (docs/DATA.md).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from m26.sim import market
from m26.sim.behaviour import Behaviour
from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.lots import lots
from m26.sim.market import Market, Tempo
from m26.sim.shelf import Auction

START = 1_790_000_000
_LOOKS = (10, 20, 40)
"""Looks in an auction's whole time."""
_CLOCKS = 5
"""An end that is seen this many seconds before its time may be a matter of clocks."""


class Keen(Market):
    """Buyers take an auction with bids as they take one without."""

    def _draw(self, auction: Auction, since: float) -> tuple[float, str]:
        state, left = auction.state, max(0.0, auction.listing.expires - since)
        rng = lots("keen", self._deck.seed, auction.id, state.bids)
        if state.bids and state.buyout and rng.random() < market._BUYOUT:
            return since + left * rng.betavariate(1, 3), "buyout"
        return super()._draw(auction, since)


@dataclass(slots=True)
class Count:
    """Auctions with bids and a buyout price that were seen ENDED only after their time."""

    all: int = 0
    bought: int = 0


def look(kind: type[Market], *, seed: int, looks: int, lives: int) -> Count:
    """Look at a market every so often for `lives` times an auction's time."""
    tempo, count = Tempo(size=400, speed=144), Count()
    every, decided = tempo.duration // looks, set[int]()
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.db") as ledger:
        house = kind("sim", Deck(seed), ledger, tempo, now=float(START))
        house.behave(Behaviour(visible=2 * every * tempo.speed, ended_price="last_bid"))
        active = set[int]()
        for now in range(START, START + lives * tempo.duration, every):
            house.advance(now)
            for auction in house.search(0, 10_000):
                if auction.ended is None:
                    active.add(auction.id)
                elif auction.id in active and auction.id not in decided:
                    decided.add(auction.id)
                    state, expires = auction.state, auction.listing.expires
                    late = now >= expires - _CLOCKS
                    if late and state.status == "ENDED" and state.bids and state.buyout:
                        count.all += 1
                        count.bought += state.cause == "buyout"
    return count


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--lives", type=int, default=20)
    given = parser.parse_args()
    for kind in (Market, Keen):
        for looks in _LOOKS:
            count = look(kind, seed=given.seed, looks=looks, lives=given.lives)
            sys.stdout.write(
                f"{kind.__name__}, {looks} looks in an auction's time: {count.bought} of"
                f" {count.all} sales that look like the last bidder's were buyouts"
                f" ({count.bought / max(1, count.all):.2%})\n"
            )


if __name__ == "__main__":
    main()
