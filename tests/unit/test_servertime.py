"""When a reply was made: given once, in the journal's order, and kept for the next start."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from tests.support import wire
from tests.support.journals import SmallDisk, open_journal
from tests.support.wire import T0, auction, body

from m26.app.storing import server_times
from m26.clock import Clock
from m26.errors import StorageError
from m26.journal import segment
from m26.models import Page
from m26.servertime import Dating, ServerTime, ServerTimes, Told

HOUR = 3_600


def micros(seconds: float) -> int:
    return int(seconds * 1_000_000)


def page(ours: float, platform: str = "ps5", *, says: float | None = None) -> Page:
    """A reply received `ours` seconds after T0; `says` is its responseTime, as seconds after T0."""
    data = {"responseTime": None} if says is None else {}
    content = body(auction(1), at=T0 + (says or 0), **data)
    return wire.page(content, platform=platform, fetched_at=micros(T0 + ours))


def told(response: float, date: float | None = None) -> Told:
    """Seconds after T0; the reply lists an auction."""
    return Told(0 if date is None else micros(T0 + date), micros(T0 + response), 1)


def times(dated: Page) -> tuple[float, float]:
    """Seconds after T0."""
    return dated.served_at / 1e6 - T0, dated.observed_at / 1e6 - T0


def ignore(_: Page) -> None:
    pass


def test_a_page_that_found_no_room_was_given_no_time(tmp_path: Path) -> None:
    disk = SmallDisk(1_000)
    journal, server = open_journal(tmp_path, files=disk), ServerTime()
    server.keep(page(0), told(0, 0), journal.append)
    disk.room = 0
    for _ in range(5):  # else the third of them would be believed
        with pytest.raises(StorageError):
            server.keep(page(20), told(20 + HOUR), journal.append)
    disk.room = 10_000
    server.keep(page(21), told(21), journal.append)
    assert [times(r.page) for r in journal.read(0) if r.page] == [(0, 0), (21, 21)]


def test_replies_that_come_at_once_are_dated_in_the_order_in_which_they_are_kept(
    tmp_path: Path,
) -> None:
    journal, server = open_journal(tmp_path), ServerTime()

    def receive(n: int) -> None:  # of two accounts on one platform, say
        server.keep(page(n), told(n, n), journal.append)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(receive, [0, *range(20), *reversed(range(20))]))
    observed = [r.page.observed_at for r in journal.read(0) if r.page]
    assert len(observed) == 41
    assert observed == sorted(observed)


def test_an_error_reply_is_not_dated_and_holds_nothing_back() -> None:
    server = ServerTime()
    server.keep(page(0), told(0, 0), ignore)
    refused = server.keep(page(20.9), Told(micros(T0 + 20)), ignore)
    assert (refused.served_at, refused.observed_at) == (0, 0)
    assert times(server.keep(page(21), told(20), ignore)) == (20, 20)


def test_platforms_have_clocks_of_their_own() -> None:
    server = ServerTimes()
    assert times(server.of("ps5").keep(page(0), told(HOUR, HOUR), ignore)) == (HOUR, HOUR)
    assert times(server.of("pc").keep(page(1), told(1, 1), ignore)) == (1, 1)
    assert server.of("ps5").skew == HOUR


@pytest.mark.parametrize("skew", [-HOUR, 0, HOUR])
def test_the_next_start_knows_the_difference_and_the_newest_time(tmp_path: Path, skew: int) -> None:
    journal, server = open_journal(tmp_path), ServerTime()
    for n in range(3):
        server.keep(page(n), told(n + skew, n + skew), journal.append)
    # no `close`: the process was killed
    again = server_times(open_journal(tmp_path), Clock()).of("ps5")
    assert again.skew == skew
    behind = again.keep(page(3), told(skew - 20), ignore)
    assert behind.served_at == micros(T0 + skew - 20)
    assert behind.observed_at == micros(T0 + skew + 2) + 1


def test_the_next_start_after_an_upgrade_knows_what_older_records_tell(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for n in range(4):
        journal.append(page(n, says=n + HOUR))
    assert server_times(journal, Clock()).of("ps5").skew == HOUR


def test_our_clock_may_be_set_while_replies_come() -> None:
    now = [float(T0), 0.0]
    server = ServerTime(Clock(time=lambda: now[0], steady=lambda: now[1]))
    server.keep(page(0), told(0, 0), ignore)
    now[:] = [T0 + HOUR + 10.0, 10.0]
    assert server.stamp(doubted=False) == T0 + 10
    assert times(server.keep(page(HOUR + 10), told(10), ignore)) == (10, 10)
    assert server.skew == -HOUR
    now[:] = [T0 + 20.0, 20.0]
    assert server.stamp(doubted=False) == T0 + 20
    server.heard(micros(T0 + 20), micros(T0 + 20))
    assert server.skew == 0


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_our_clock_may_be_set_while_a_reply_waits_to_be_kept(by: int) -> None:
    now = [float(T0), 0.0]
    server = ServerTime(Clock(time=lambda: now[0], steady=lambda: now[1]))
    server.keep(page(0), told(0, 0), ignore)
    received = page(20)
    now[:] = [T0 + by + 20.5, 20.5]
    assert times(server.keep(received, told(20), ignore)) == (20, 20)
    now[:] = [T0 + 40.5, 40.5]
    server.heard(micros(T0 + 40), micros(T0 + by + 40))  # received before it was set back
    assert server.skew == 0


def test_pages_without_times_get_them_in_the_order_of_their_file() -> None:
    pages = [page(0, says=0), page(1, "pc", says=HOUR), page(20, says=20 - HOUR), page(40, says=5)]
    pages += [page(60), wire.page(b"<html>")]
    once, again = ([*map(Dating(), pages)] for _ in range(2))
    assert once == again
    assert [times(p) for p in once[:3]] == [(0, 0), (1, 1), (20, 20)]
    assert times(once[3]) == (40, 40)
    assert once[5] == pages[5]


def test_times_that_were_decided_are_kept_and_go_on(tmp_path: Path) -> None:
    dating = Dating()
    decided = replace(page(0, says=9), served_at=micros(T0 + HOUR), observed_at=micros(T0 + HOUR))
    assert dating(decided) is decided
    assert times(dating(page(1, says=1 + HOUR))) == (1 + HOUR, 1 + HOUR)


def test_older_and_newer_versions_read_each_others_records(tmp_path: Path) -> None:
    dated = replace(page(0, says=0), served_at=5, observed_at=6)
    written = segment.pack_payload(dated)
    raw = segment.zstandard.decompress(written)
    size = int.from_bytes(raw[:4], "little")
    header = orjson.loads(raw[4 : 4 + size])
    assert (header.pop("served_at"), header.pop("observed_at")) == (
        5,
        6,
    )  # passed over by older ones
    older = orjson.dumps(header)
    raw = len(older).to_bytes(4, "little") + older + raw[4 + size :]
    journal = open_journal(tmp_path)
    journal.append(dated)
    (path,) = segment.segment_paths(tmp_path)
    with path.open("ab") as file:
        file.write(segment.pack_record(1, segment.zstandard.compress(raw)))
    found = [record.page for record in segment.read_segment(path)]
    assert found == [dated, replace(dated, served_at=0, observed_at=0)]
