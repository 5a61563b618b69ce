"""How m26 itself reads pages, off the event loop's path: one call into Rust on this thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benches.pages import PLATFORM, RULES, page

from m26 import _native
from m26.normalizer import Normalizer


class Encoded(NamedTuple):
    """A batch and its COPY buffers, which are made when they are asked for."""

    batch: _native.Batch
    auctions: _native.CopyBuffer
    cards: _native.CopyBuffer


def normalizer(*seen: Sequence[bytes]) -> _native.Normalizer:
    """A normalizer that knows the cards of the pages in `seen` as committed."""
    made = _native.Normalizer(per_copy=RULES.per_copy, positions=RULES.positions)
    for pages in seen:
        made.confirm(read(made, pages))
    return made


async def loading(catalogue: Sequence[bytes]) -> Normalizer:
    """What a loader needs: it knows the cards of `catalogue` as committed."""
    made = Normalizer(RULES)
    made.confirm(await made.normalize([page(body) for body in catalogue]))
    return made


def restarted(*stored: Sequence[bytes]) -> _native.Normalizer:
    """A normalizer that has been told which cards are stored, and has seen none of them."""
    made = normalizer()
    made.know([card[:2] for pages in stored for card in read(normalizer(), pages).card_rows()])
    return made


def read(made: _native.Normalizer, pages: Sequence[bytes]) -> _native.Batch:
    """The batch of `pages`."""
    times = [0] * len(pages)
    return made.normalize(pages, platforms=[PLATFORM] * len(pages), fetched_at=times)


def encoded(made: _native.Normalizer, pages: Sequence[bytes]) -> Encoded:
    """`read`, and the buffers."""
    batch = read(made, pages)
    return Encoded(batch, batch.auctions, batch.cards)


def encoded_stored(made: _native.Normalizer, pages: Sequence[bytes]) -> Encoded:
    """`encoded`, less the cards that `made` knows to be stored."""
    batch = read(made, pages)
    return Encoded(batch, batch.auctions, made.cards(batch))


def versions(*shown: Sequence[bytes]) -> dict[int, int]:
    """Version of each card that the pages show, by card id."""
    return {card[0]: card[1] for pages in shown for card in read(normalizer(), pages).card_rows()}
