"""A process of its own in which libc compares bytes without AVX2: how m26 does against msgspec.

``python -m benches.without_avx2`` prints the ratio of each round as JSON; `ratios` runs that. m26's
own scanning needs SSE2 alone; what AVX2 brings on other machines is in libc's ``memcmp``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import orjson
from benches import ours, peers
from benches.pages import START, Market
from benches.peers import Cards
from benches.race import timed

ROUNDS = 9
_HIDDEN = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-MOVBE"


def ratios() -> list[float]:
    """How many times as fast m26 was in each round, with wide instructions hidden from libc."""
    done = subprocess.run(
        [sys.executable, "-m", "benches.without_avx2"],
        cwd=Path(__file__).resolve().parents[1],
        env=os.environ | {"GLIBC_TUNABLES": _HIDDEN},
        stdout=subprocess.PIPE,
        check=True,
    )
    measured: list[float] = orjson.loads(done.stdout)
    return measured


def _race() -> list[float]:
    market = Market()
    catalogue = market.catalogue()
    versions = ours.versions(catalogue)
    reader = ours.normalizer(catalogue)
    peer = peers.msgspec_reader(Cards(versions, versions.keys()))
    found = []
    for number in range(ROUNDS):
        pages = market.batch(at=START + number)
        own, made = timed(partial(ours.encoded, reader), pages)
        theirs, rows = timed(peer, pages)
        assert made.batch.rows() == rows.auctions
        found.append(theirs / own)
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(_race()))
