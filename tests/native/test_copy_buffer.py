"""The buffer that COPY reads: read-only, whole, alive as long as anyone looks at it."""

from __future__ import annotations

import gc
import io

import pytest
from tests.support.wire import auction, body, card

from m26 import _native
from m26._native import Batch, CopyBuffer

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"


def batch_of(count: int) -> Batch:
    items = [auction(n, card=card(n)) for n in range(1, count + 1)]
    normalizer = _native.Normalizer(per_copy=["cardInstanceId"], positions={})
    return normalizer.normalize([body(*items)], platforms=["ps5"], fetched_at=[0])


def test_it_is_a_whole_copy_stream() -> None:
    batch = batch_of(3)
    for buffer in (batch.auctions, batch.cards, batch_of(0).auctions):
        content = bytes(buffer)
        assert content.startswith(HEADER)
        assert content.endswith(TRAILER)
        assert len(buffer) == len(content) == memoryview(buffer).nbytes
    assert (batch.auctions.rows, batch.cards.rows) == (3, 3)
    assert bytes(batch_of(0).auctions) == HEADER + TRAILER
    assert repr(batch.auctions) == f"<CopyBuffer rows=3 bytes={len(batch.auctions)}>"


def test_it_cannot_be_written_to() -> None:
    buffer = batch_of(1).auctions
    view = memoryview(buffer)
    assert view.readonly
    with pytest.raises(TypeError):
        view[0] = 0
    with pytest.raises(TypeError, match="read-write"):
        io.BytesIO(b"x").readinto(buffer)
    with pytest.raises(AttributeError):
        buffer.rows = 5  # type: ignore[misc]


def test_its_memory_outlives_the_batch() -> None:
    batch = batch_of(50)
    expected = bytes(batch.auctions)
    view = memoryview(batch.auctions)
    part = memoryview(batch.auctions.slice(10, 20))
    del batch
    gc.collect()
    others = [bytes(batch_of(50).cards) for _ in range(5)]  # use what was freed
    assert bytes(view) == expected
    assert bytes(part).endswith(TRAILER)
    assert others[0] == others[-1]


def test_asyncpg_takes_it_for_a_buffer_and_nothing_else() -> None:
    # copy_to_table asks in this order: a path, a file, an asynchronous iterable, a buffer
    for attribute in ("__fspath__", "read", "__aiter__"):
        assert not hasattr(CopyBuffer, attribute)


def test_a_slice_has_the_rows_of_that_range() -> None:
    batch = batch_of(5)
    whole = bytes(batch.auctions)
    rows = [bytes(batch.auctions.slice(n, n + 1))[len(HEADER) : -len(TRAILER)] for n in range(5)]
    assert HEADER + b"".join(rows) + TRAILER == whole
    assert bytes(batch.auctions.slice(1, 4)) == HEADER + b"".join(rows[1:4]) + TRAILER
    assert batch.auctions.slice(1, 4).rows == 3
    assert batch.auctions.slice(3, 99).rows == 2
    assert bytes(batch.auctions.slice(4, 2)) == HEADER + TRAILER
    with pytest.raises(OverflowError):
        batch.auctions.slice(-1, 2)


def test_the_batch_gives_one_buffer_however_often_asked() -> None:
    batch = batch_of(1)
    assert batch.auctions is batch.auctions


def test_a_state_to_keep_is_read_in_place_and_gives_its_planner_again() -> None:
    state = _native.Planner(per_day=1, per_minute=1, now=1).save()
    view = memoryview(state)
    assert (view.readonly, view.nbytes, len(state)) == (True, len(bytes(state)), view.nbytes)
    assert bytes(_native.Planner.load(bytes(state)).save()) == bytes(view)


def test_classes_are_final_and_made_by_the_core_alone() -> None:
    for made in (CopyBuffer, Batch, _native.Peek, _native.State):
        with pytest.raises(TypeError):
            made()
    with pytest.raises(TypeError):
        type("Sub", (CopyBuffer,), {})
