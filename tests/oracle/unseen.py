"""How often a sale that looks like the last bidder's was a buyout: a seeded market in, shares out.

    python -m tests.oracle.unseen

An auction with bids that is seen ENDED only after its time went to its last bidder, unless somebody
bought it out after the last look that showed it on offer. That is asked of a market whose buyouts
leave the last bid to be seen, as it is and with buyers that are ten times as fast; it is what the
confidence of such a sale rests on (docs/DATA.md).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from m26.sim.behaviour import Behaviour
from m26.sim.cards import Deck
from m26.sim.ledger import Ledger
from m26.sim.market import Market
from m26.sim.tempo import Tempo

START = 1_790_000_000
_LOOKS = (10, 20, 40)
"""Looks in a day."""
_CLOCKS = 5
"""An end that is seen this many seconds before its time may be a matter of clocks."""


@dataclass(slots=True)
class Count:
    """Auctions with bids and a buyout price that were seen ENDED only after their time."""

    all: int = 0
    bought: int = 0


def look(tempo: Tempo, *, seed: int, looks: int, days: int) -> Count:
    """Look at a market every so often for some of its days."""
    count, day = Count(), int(tempo.clock(86_400))
    every, decided = day // looks, set[int]()
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.db") as ledger:
        house = Market("sim", Deck(seed), ledger, tempo, now=float(START))
        house.behave(Behaviour(visible=2 * every * tempo.speed, ended_price="last_bid"))
        active = set[int]()
        for now in range(START, START + days * day, every):
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
    parser.add_argument("--days", type=int, default=20)
    given = parser.parse_args()
    for buyouts in (0.1, 1, 10):
        tempo = Tempo(size=400, speed=144, buyouts=buyouts)
        for looks in _LOOKS:
            count = look(tempo, seed=given.seed, looks=looks, days=given.days)
            sys.stdout.write(
                f"buyers {buyouts} times as fast, {looks} looks a day: {count.bought} of"
                f" {count.all} sales that look like the last bidder's were buyouts"
                f" ({count.bought / max(1, count.all):.2%})\n"
            )


if __name__ == "__main__":
    main()
