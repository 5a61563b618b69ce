"""Python aligns its objects to 16 bytes: what Rust keeps in them must not need more."""

from __future__ import annotations

from tests.support.wire import auction, body

from m26 import _native


def test_readers_work_wherever_python_puts_them() -> None:
    pages = [body(auction(1), auction(2))]
    readers = [_native.Normalizer(per_copy=["cardInstanceId"], positions={}) for _ in range(50)]
    gaps = [bytearray(16 * n) for n in range(50)]
    for reader in readers:
        for _ in range(2):  # a card is learned, then recognised
            batch = reader.normalize(pages, platforms=["ps5"], fetched_at=[0])
            assert batch.auctions.rows == 2
    assert len(gaps) == len(readers)
