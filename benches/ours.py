"""How m26 itself reads pages, off the event loop's path: one call into Rust on this thread."""

from __future__ import annotations

from collections.abc import Sequence

from benches.pages import PLATFORM, RULES

from m26 import _native


def normalizer(*seen: Sequence[bytes]) -> _native.Normalizer:
    """A normalizer that knows the cards of the pages in `seen` as committed."""
    made = _native.Normalizer(per_copy=RULES.per_copy, positions=RULES.positions)
    for pages in seen:
        made.confirm(read(made, pages))
    return made


def read(made: _native.Normalizer, pages: Sequence[bytes]) -> _native.Batch:
    """The batch of `pages`."""
    times = [0] * len(pages)
    return made.normalize(pages, platforms=[PLATFORM] * len(pages), fetched_at=times)


def versions(*shown: Sequence[bytes]) -> dict[int, int]:
    """Version of each card that the pages show, by card id."""
    return {card[0]: card[1] for pages in shown for card in read(normalizer(), pages).card_rows()}
