"""Records of a part in, what became of auctions and how much of the market was seen out.

What is said follows from the part's records alone, in their order, wherever they are cut: it is a
fold over them (`m26._native.Fold`). A snapshot of it is kept in the home, only so that a start need
not read the whole journal; where there is none, or it does not fit, the journal is read again, and
all that it says of auctions is offered once more, of which the ladder of evidence takes the new.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import structlog

from m26 import _native
from m26._native import Batch, Fold
from m26.errors import StorageError
from m26.home.files import replace_private
from m26.models import Page, Record
from m26.normalizer import Normalizer
from m26.servertime import Dating
from m26.store import rejects
from m26.store.batch import Concluded
from m26.upstream.verdicts import PASSING

_log = structlog.get_logger()
History = Callable[[str, int], Iterator[Record]]
"""Records of a part, from a position on, that were read before; it may block."""
AT_ONCE = 2_000
"""Records that are read again before anything is stored: some seconds' work."""
_MOST = 30_000
"""Records that are read again at all: a week's at the usual pace, and no auction runs so long."""
_STEP = 256
"""Records that are read again beside a batch, where there are more of them."""
_READ = 32
"""Records that are read at a time."""
_OFFERED = 2_000
"""Outcomes that are offered once more in one batch."""
_NATIVE = Path(_native.__file__)
_INT4, _INT8 = 2**32, 2**63


@dataclass(slots=True)
class _Reading:
    """A fold, and the record that it takes next."""

    part: str
    pos: int
    fold: Fold = field(default_factory=Fold)
    checksum: int | None = None
    """Of the record before."""
    kept_at: int = 0
    """Position of the newest snapshot."""
    unsaid_from: int = 0
    """Records from here on were stored with nothing said of them."""
    _dating: Dating = field(default_factory=Dating)

    def again(
        self, records: Iterator[Record], stop: int, most: int, reader: Normalizer
    ) -> list[Any]:
        """Take in records before `stop` that were stored before, at most so many.

        Returns:
            The last word on auctions that are forgotten meanwhile, and of which nothing was said.
        """
        until, unsaid = min(stop, self.pos + most), list[Any]()
        while self.pos < until and (found := list(islice(records, min(_READ, until - self.pos)))):
            found = [record for record in found if record.pos < until]
            if not found:
                break
            dated = [r if r.page is None else replace(r, page=self._dating(r.page)) for r in found]
            pages = [r.page for r in dated if r.page and rejects.may_list_auctions(r.page)]
            left = self.take(dated, reader.read(pages)).left
            unsaid += left if self.pos > self.unsaid_from else ()
        return unsaid

    def take(self, records: Sequence[Record], batch: Batch) -> Concluded:
        """Take in consecutive records, whose pages of data `batch` has."""
        told = self.fold.take(batch, list(_looks(records, frozenset(batch.refused))))
        self.pos, self.checksum = records[-1].end, records[-1].checksum
        return Concluded(*told)


class Inference:
    """Infers for one process, a part at a time. Methods block: call them from a worker thread.

    Args:
        normalizer: of the process; what is read again is read by another one of its rules.
        folder: where snapshots are kept; None: nowhere.
        history: reads a part again; None: what was before is not known after a start.
        at_once: records that are read again before anything is stored.
    """

    def __init__(
        self,
        normalizer: Normalizer,
        *,
        folder: Path | None = None,
        history: History | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        self._normalizer, self._folder = normalizer, folder
        self._history, self._at_once = history, at_once
        self._reading: _Reading | None = None
        self._is_behind = False
        self._offers: list[Any] = []

    def conclude(self, part: str, records: Sequence[Record], batch: Batch) -> Concluded:
        """Take in consecutive records of a part, which are about to be stored.

        Args:
            part: whose they are.
            records: where they do not follow those before, what they follow is read again.
            batch: their pages of data.

        Raises:
            StorageError: the part cannot be read again.
        """
        reading, begin = self._reading, records[0].pos
        if reading is None or reading.part != part or not self._follows(reading, begin):
            reading = self._recover(part, begin)
        if self._is_behind:
            self._catch_up(reading, begin)
        if self._is_behind:
            return Concluded()
        concluded = reading.take(records, batch)
        offers, self._offers = self._offers[:_OFFERED], self._offers[_OFFERED:]
        concluded = replace(concluded, inferred=[*offers, *concluded.inferred])
        if self._folder is None or reading.pos - reading.kept_at < self._at_once:
            return concluded
        reading.kept_at = reading.pos
        return replace(concluded, snapshot=_packed(reading))

    def committed(self, part: str, concluded: Concluded) -> None:
        """What was concluded is stored: its snapshot may be kept."""
        if concluded.snapshot is None or self._folder is None:
            return
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            replace_private(self._folder / part, *concluded.snapshot)
        except (OSError, StorageError) as error:
            _log.warning("inference.not_kept", reason=str(error), advice="It is only a cache.")

    def _follows(self, reading: _Reading, begin: int) -> bool:
        return reading.pos <= begin if self._is_behind else reading.pos == begin

    def _recover(self, part: str, begin: int) -> _Reading:
        """What is known before `begin`: of its snapshot, of the journal, or nothing."""
        self._offers, self._is_behind = [], False
        if self._history is None or begin == 0:
            reading = _Reading(part, begin)
        elif (kept := self._kept(part, begin, self._history)) is not None:
            reading, records = kept, self._history(part, kept.pos)
            reading.again(records, begin, begin - kept.pos, self._normalizer.another())
            reading.pos = begin
        else:
            pos, kept_at = max(0, begin - _MOST), begin - self._at_once
            reading = _Reading(part, pos, kept_at=kept_at, unsaid_from=begin)
            self._is_behind = True
        self._reading = reading
        return reading

    def _catch_up(self, reading: _Reading, begin: int) -> None:
        """Read on; all at once where that is little."""
        if self._history is None:
            return
        records = self._history(reading.part, reading.pos)
        first = next(records, None)
        if first is None or first.pos >= begin:
            reading.pos = begin  # what was before is deleted
        else:
            reading.pos = first.pos
            left = begin - reading.pos
            most = left if left <= self._at_once else _STEP
            again = reading.again(_after(first, records), begin, most, self._normalizer.another())
            self._offers += again
        if reading.pos >= begin:
            self._is_behind = False
            self._offers += reading.fold.verdicts()

    def _kept(self, part: str, begin: int, history: History) -> _Reading | None:
        """The snapshot, where it is whole, of this build and this part, and not beyond `begin`."""
        if self._folder is None:
            return None
        with suppress(OSError, ValueError, KeyError, TypeError):
            head, _, state = (self._folder / part).read_bytes().partition(b"\n")
            known = orjson.loads(head)
            pos, checksum = known["pos"], known["checksum"]
            if known["build"] != _build() or known["crc"] != zlib.crc32(state) or pos > begin:
                return None
            before = next(history(part, pos - 1), None)
            if before is None or (before.end, before.checksum) != (pos, checksum):
                return None
            fold = Fold.load(state)
            return _Reading(part, pos, fold, checksum, kept_at=pos)
        return None


def _packed(reading: _Reading) -> tuple[bytes, memoryview]:
    state = reading.fold.save()
    head: dict[str, object] = {"pos": reading.pos, "checksum": reading.checksum}
    head |= {"build": _build(), "crc": zlib.crc32(state)}
    return orjson.dumps(head) + b"\n", memoryview(state)


def _build() -> str:
    """Another build may understand a state otherwise."""
    found = _NATIVE.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


def _after(first: Record, records: Iterator[Record]) -> Iterator[Record]:
    yield first
    yield from records


def _looks(records: Sequence[Record], refused: frozenset[int]) -> Iterator[tuple[Any, ...]]:
    """Replies as `Fold.take` takes them."""
    index = -1
    for record in records:
        page, place = record.page, None
        if page is None or not page.is_reply:
            continue
        if rejects.may_list_auctions(page):
            place = index = index + 1
        is_answer = place is not None and place not in refused
        failed = not is_answer and rejects.judged(page).reason == PASSING
        search, ids, is_known = question(page)
        times = (page.served_at, page.observed_at, page.fetched_at)
        yield page.platform, place, search, ids, is_known, failed, times


def question(page: Page) -> tuple[tuple[int, int] | None, list[int], bool]:
    """What a page answers, and whether it is known.

    It is offset and count of a search for everything, or the ids of a refresh.
    """
    try:
        asked = orjson.loads(page.query)
    except orjson.JSONDecodeError:
        return None, [], False
    match asked:
        case {"auctionIdList": [*ids]} if all(_is_int(each, _INT8) for each in ids):
            return None, ids, True
        case {"filters": [], "itemName": ""}:
            offset, count = asked.get("offset", 0), asked.get("count", 100)
            if _is_int(offset, _INT4) and _is_int(count, _INT4):
                return (offset, count), [], True
    return None, [], False


def _is_int(value: object, limit: int) -> bool:
    return type(value) is int and 0 <= value < limit
