"""What crosses the boundary and what does not: bad data comes back, misuse raises."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.support.wire import T0, auction, body

from m26 import _native
from m26._native import Batch


def read(*pages: bytes, fetched_at: int = 0) -> Batch:
    native = _native.Normalizer(per_copy=["cardInstanceId"], positions={14: "MLB"})
    count = len(pages)
    return native.normalize(pages, platforms=["ps5"] * count, fetched_at=[fetched_at] * count)


def test_counts_rejects_and_places_say_what_became_of_each_item() -> None:
    good = body(auction(1), auction(2, currentBid=None), auction(3))
    batch = read(good, b"", body(auction(4), uiErrorCode=0), b'{"success":false}')
    assert batch.counts == {"pages": 4, "auctions": 3, "cards": 1, "rejects": 2, "refused": 1}
    first, second = batch.rejects
    assert first[:2] == (0, 1)
    assert good[first[2] : first[3]].startswith(b'{"auctionId":2,')
    assert first[4:] == ("missing", f"currentBid: a required field is missing (byte {first[2]})")
    assert second == (1, None, 0, 0, "empty", "the reply is empty (byte 0)")
    page, item, start, stop = batch.locate(1)
    assert (page, item) == (0, 2)
    assert good[start:stop].startswith(b'{"auctionId":3,')
    assert good[start:stop].endswith(b"}")
    assert batch.locate_card(0) == batch.locate(0)
    for locate in (batch.locate, batch.locate_card):
        with pytest.raises(IndexError):
            locate(3)


def test_rows_are_the_columns_in_order() -> None:
    batch = read(body(auction(7)))
    names = [name for name, _ in _native.AUCTION_COLUMNS]
    row = dict(zip(names, batch.rows()[0], strict=True))
    assert (row["auction_id"], row["platform"], row["status"]) == (7, "ps5", "active")
    assert row["observed_at"] == T0 * 1_000_000
    names = [name for name, _ in _native.CARD_COLUMNS]
    card = dict(zip(names, batch.card_rows()[0], strict=True))
    assert (card["name"], card["position"], card["version"]) == (
        "Drew Sanders",
        "MLB",
        row["card_version"],
    )


def test_bad_data_never_raises(seed: int) -> None:
    rng = random.Random(seed)
    good = body(auction(1), auction(2))
    for _ in range(2_000):
        damaged = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        page = bytes(damaged[: rng.randrange(len(damaged))] if rng.random() < 0.1 else damaged)
        batch, peek = read(page), _native.peek(page)
        assert batch.counts["auctions"] <= 2
        if not any(reject[1] is None for reject in batch.rejects):
            refused = sum(reject[4] != "card_mended" for reject in batch.rejects)
            assert peek.count == batch.counts["auctions"] + refused
        elif batch.rejects[0][4] not in ("no_time", "unknown_shape", "stale_market"):
            assert peek.kind in ("malformed", "html", "xml", "empty")


def test_a_page_over_the_limit_is_rejected_unread() -> None:
    huge = b"[" + b"null," * (_native.MAX_PAGE_BYTES // 5 + 1) + b"null]"
    assert [reject[4] for reject in read(huge).rejects] == ["too_large"]
    assert _native.peek(huge).kind == "malformed"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (([b"{}"], ["ps5", "pc"], [0]), ValueError),
        (([b"{}"], ["ps5"], []), ValueError),
        (("{}", ["ps5", "pc"], [0, 0]), TypeError),
        ((["{}"], ["ps5"], [0]), TypeError),
        ((b"{}", ["ps5"], [0]), TypeError),
        (([b"{}"], [None], [0]), TypeError),
        (([b"{}"], ["ps5"], [1.5]), TypeError),
        (([b"{}"], ["ps5"], [2**63]), OverflowError),
    ],
)
def test_misuse_raises(arguments: tuple[Any, Any, Any], error: type[Exception]) -> None:
    native = _native.Normalizer(per_copy=[], positions={})
    pages, platforms, fetched_at = arguments
    with pytest.raises(error):
        native.normalize(pages, platforms=platforms, fetched_at=fetched_at)


def test_times_are_given_for_every_page_or_for_none() -> None:
    native = _native.Normalizer(per_copy=[], positions={})
    with pytest.raises(ValueError, match="same length"):
        native.normalize([b"{}"], platforms=["ps5"], fetched_at=[0], times=[])


def test_it_was_built_for_release() -> None:
    assert _native.RELEASE
