"""Pages to batches: the library's entry, and the live path's one thread hop into Rust."""

from __future__ import annotations

from collections.abc import Sequence

from m26 import _native
from m26._native import Batch, CopyBuffer
from m26.models import Page
from m26.upstream.profile import CardRules, Profile


class Normalizer:
    """Reads pages in Rust, off the event loop; remembers cards between batches.

    Rows of cards that are not confirmed as committed are sent again with the next batch.
    """

    def __init__(self, rules: CardRules) -> None:
        self._rules = rules
        self._native = _native.Normalizer(per_copy=rules.per_copy, positions=rules.positions)

    def another(self) -> Normalizer:
        """One of the same rules that has read nothing yet."""
        return Normalizer(self._rules)

    async def normalize(self, pages: Sequence[Page]) -> Batch:
        """The batch of `pages`; bad data comes back in its rejects."""
        from anyio.to_thread import run_sync  # offline use needs no event loop

        return await run_sync(self.read, pages)

    def read(self, pages: Sequence[Page]) -> Batch:
        """The same, in the caller's thread; the GIL is released."""
        return self._native.normalize(
            [page.body for page in pages],
            platforms=[page.platform for page in pages],
            fetched_at=[page.fetched_at for page in pages],
            times=[(page.served_at, page.observed_at) for page in pages],
        )

    def missing(self, batch: Batch) -> list[tuple[int, int]]:
        """(card id, version) of the batch's cards that are not known to be committed."""
        return self._native.missing(batch)

    def know(self, keys: Sequence[tuple[int, int]]) -> None:
        """These card versions are committed."""
        self._native.know(keys)

    def cards(self, batch: Batch) -> CopyBuffer:
        """COPY rows of `missing`, in its order."""
        return self._native.cards(batch)

    def confirm(self, batch: Batch) -> None:
        """`batch` is committed."""
        self._native.confirm(batch)


def normalize(
    pages: Sequence[bytes],
    /,
    *,
    platform: str,
    fetched_at: Sequence[int] | None = None,
    profile: str = "madden26",
) -> Batch:
    """Normalize reply bodies offline, without network libraries; the GIL is released.

    Args:
        pages: bodies of search replies, as served.
        platform: what the replies were collected for (``ps5``, ``pc``, …): the wire does not say.
        fetched_at: receive time of each, microseconds since 1970; 0 or None when unknown. It
            counts, corrected by what the replies before told, where a reply's own time is missing
            or far off: see docs/DATA.md. Pages may come in any order: a time is never set behind
            that of the page before, as it is for what is stored.
        profile: name or path of the profile that says what of a card is per copy.

    Returns:
        Rows, new cards, rejects and drift; see `m26.Batch`.

    Raises:
        ConfigError: no such profile.
        ValueError: `fetched_at` has another length than `pages`.
    """
    rules = Profile.load(profile).card
    native = _native.Normalizer(per_copy=rules.per_copy, positions=rules.positions)
    times = [0] * len(pages) if fetched_at is None else fetched_at
    return native.normalize(pages, platforms=[platform] * len(pages), fetched_at=times)
