"""Files of a journal that somebody copied, renamed, cut or deleted: refused by name, or told.

Nothing here is told by what this process remembers: each journal is opened anew.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from tests.support.journals import make_page, open_journal, promise, read_all

from m26.app.storing import journaling
from m26.config import Settings
from m26.errors import StorageError
from m26.journal import Journal, segment_paths
from m26.journal.segment import HEAD_BYTES, segment_name

PAGES = 40
Command = Callable[..., Any]


def filled(folder: Path) -> list[Path]:
    """A journal of several segments, three records or so each; their paths."""
    journal = open_journal(folder, segment_bytes=2000)
    for number in range(PAGES):
        journal.append(make_page(number, size=400))
    journal.close()
    return segment_paths(folder)


@pytest.fixture
def journal(home: Path) -> Path:
    """The journal of a home whose account has asked, and written down what was on disk."""
    folder = home / "journal"
    filled(folder)
    made = open_journal(folder)
    promise(home, made.id, PAGES)
    made.close()
    return folder


def far_ahead(folder: Path, paths: list[Path]) -> Path:
    return Path(shutil.copy(paths[2], folder / segment_name(500_000)))


def over_another(folder: Path, paths: list[Path]) -> Path:
    return Path(shutil.copy(paths[2], paths[4]))


def over_the_newest(folder: Path, paths: list[Path]) -> Path:
    return Path(shutil.copy(paths[0], paths[-1]))


def renamed(folder: Path, paths: list[Path]) -> Path:
    return paths[-1].rename(folder / segment_name(PAGES + 5))


def short_name(folder: Path, paths: list[Path]) -> Path:
    return paths[0].rename(folder / "0.seg")


def emptied(folder: Path, paths: list[Path]) -> Path:
    paths[3].write_bytes(b"")
    return paths[3]


def zeros(folder: Path, paths: list[Path]) -> Path:
    paths[-1].write_bytes(bytes(paths[-1].stat().st_size))
    return paths[-1]


def cut_in_its_head(folder: Path, paths: list[Path]) -> Path:
    paths[-1].write_bytes(paths[-1].read_bytes()[: HEAD_BYTES // 2 - 1])
    return paths[-1]


def flipped_in_both_heads(folder: Path, paths: list[Path]) -> Path:
    data = bytearray(paths[1].read_bytes())
    data[50] ^= 4
    data[HEAD_BYTES // 2 + 50] ^= 1
    paths[1].write_bytes(data)
    return paths[1]


def another_kind_of_file(folder: Path, paths: list[Path]) -> Path:
    (folder / segment_name(PAGES + 1)).write_text("notes")
    return folder / segment_name(PAGES + 1)


def directory(folder: Path, paths: list[Path]) -> Path:
    (folder / segment_name(PAGES + 1)).mkdir()
    return folder / segment_name(PAGES + 1)


def symlink(folder: Path, paths: list[Path]) -> Path:
    (folder / segment_name(PAGES + 1)).symlink_to(paths[0])
    return folder / segment_name(PAGES + 1)


def dangling_symlink(folder: Path, paths: list[Path]) -> Path:
    paths[2].unlink()
    paths[2].symlink_to("nowhere")
    return paths[2]


def _foreign(folder: Path) -> list[Path]:
    return filled(folder.with_name("foreign"))


def foreign_behind(folder: Path, paths: list[Path]) -> Path:
    other = open_journal(folder.with_name("foreign"))
    other.skip_to(PAGES + 1)
    return Path(shutil.copy(segment_paths(folder.with_name("foreign"))[-1], folder))


def foreign_in_place_of_ours(folder: Path, paths: list[Path]) -> Path:
    return Path(shutil.copy(_foreign(folder)[3], paths[3]))


def foreign_as_many_as_ours(folder: Path, paths: list[Path]) -> Path:
    """The book knows which one is ours."""
    for path in paths[:-1]:
        path.unlink()
    return Path(shutil.copy(_foreign(folder)[0], folder))


def of_a_copied_home(folder: Path, paths: list[Path]) -> Path:
    """The same journal, gone another way: right by its head, but the positions are taken."""
    copied = folder.with_name("copied")
    copied.mkdir()
    for path in paths[:3]:
        shutil.copy(path, copied)
    other = open_journal(copied)
    other.append(make_page(1000))
    other.close()
    other = open_journal(copied)
    other.append(make_page(1001))
    return Path(shutil.copy(segment_paths(copied)[-1], folder))


REFUSED = [
    far_ahead, over_another, over_the_newest, renamed, short_name, emptied, zeros, cut_in_its_head,
    flipped_in_both_heads, another_kind_of_file, directory, symlink, dangling_symlink,
    foreign_behind, foreign_in_place_of_ours, foreign_as_many_as_ours, of_a_copied_home,
]  # fmt: skip


@pytest.mark.parametrize("harm", REFUSED, ids=lambda harm: harm.__name__)
def test_a_file_that_is_not_the_segment_its_name_says_is_refused_by_name(
    home: Path, journal: Path, m26: Command, harm: Callable[[Path, list[Path]], Path]
) -> None:
    stray = harm(journal, segment_paths(journal))
    before = {path: path.lstat().st_size for path in journal.iterdir()}
    with pytest.raises(StorageError) as caught, opened(home):
        pass
    assert caught.value.exit_code == 6
    assert stray.name in caught.value.message
    assert "then start m26 again" in caught.value.hint
    assert {path: path.lstat().st_size for path in journal.iterdir()} == before  # nothing touched

    stray.rename(home / "aside")  # what the hint says; what is gone by that is told
    with opened(home) as made:
        read = [record.page for record in read_all(made)]
        assert made.append(make_page(99)) == PAGES
        assert read_all(made)[-1].page == make_page(99)
    gone = {pos for first, stop in told(m26) for pos in range(first, stop)}
    assert all((make_page(pos, size=400) in read) != (pos in gone) for pos in range(PAGES))


@contextmanager
def opened(home: Path) -> Iterator[Journal]:
    """As `m26 run` opens it."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(journaling(Settings(home=home))) as made,
    ):
        yield made


def told(m26: Command) -> list[tuple[int, int]]:
    """Ranges that are told as damaged; they are acknowledged by that."""
    result = m26("journal", "ack", "--json")
    assert result.code == 0, result.err
    return [(each["first"], each["last"] + 1) for each in result.json["acknowledged"]]


def without(folder: Path, *indexes: int) -> tuple[int, int]:
    """Delete segments that follow each other; the positions that go with them."""
    paths = segment_paths(folder)
    firsts = [*(int(path.stem) for path in paths), PAGES]
    for index in indexes:
        paths[index].unlink()
    at = [index % len(paths) for index in indexes]
    return firsts[at[0]], firsts[at[-1] + 1]


@pytest.mark.parametrize("indexes", [(-1,), (-2, -1), (3,), (2, 3, 4)], ids=str)
def test_deleted_segments_are_told_as_one_place_and_their_positions_are_not_used_again(
    home: Path, journal: Path, m26: Command, indexes: tuple[int, ...]
) -> None:
    lost = without(journal, *indexes)
    with opened(home) as made:
        assert made.append(make_page(99)) == PAGES
        records = read_all(made)
    assert [(r.pos, r.end) for r in records if r.page is None] == [lost]
    assert [r.page for r in records if r.page] == [
        *(make_page(pos, size=400) for pos in range(PAGES) if not lost[0] <= pos < lost[1]),
        make_page(99),
    ]
    assert told(m26) == [lost]
    with opened(home) as made:
        assert read_all(made) == records
    assert told(m26) == []  # known by now


def test_a_newest_segment_cut_anywhere_loses_no_record_in_silence(
    home: Path, journal: Path, m26: Command
) -> None:
    path = segment_paths(journal)[-1]
    first, whole = int(path.stem), path.read_bytes()
    kept = home / "kept"
    shutil.copytree(journal, kept)
    for cut in {HEAD_BYTES, *range(HEAD_BYTES + 7, len(whole), len(whole) // 11), len(whole) - 1}:
        shutil.rmtree(journal)
        shutil.copytree(kept, journal)
        path.write_bytes(whole[:cut])
        with opened(home) as made:
            assert made.append(make_page(99)) == PAGES
            records = read_all(made)
        ((lost, stop),) = [(r.pos, r.end) for r in records if r.page is None]
        assert first <= lost < stop == PAGES
        assert [r.page for r in records[:lost]] == [make_page(p, size=400) for p in range(lost)]
        assert told(m26) == [(lost, stop)]


@pytest.mark.parametrize("where", [0.3, 0.6, 0.99])
def test_a_cut_or_flipped_segment_in_the_middle_is_told(
    home: Path, journal: Path, m26: Command, where: float
) -> None:
    cut, flipped = segment_paths(journal)[3:7:3]
    size = int(cut.stat().st_size * where)
    cut.write_bytes(cut.read_bytes()[:size])
    data = bytearray(flipped.read_bytes())
    data[int(len(data) * where)] ^= 16
    flipped.write_bytes(data)
    with opened(home) as made:
        records = read_all(made)
    lost = [(r.pos, r.end) for r in records if r.page is None]
    assert len(lost) == 2
    assert sorted(told(m26)) == lost


@pytest.mark.parametrize("again", ["nothing", "another journal"])
def test_a_journal_that_is_gone_as_a_whole_is_told(
    home: Path, journal: Path, m26: Command, again: str
) -> None:
    shutil.rmtree(journal)
    if again == "another journal":
        filled(journal)
    with opened(home) as made:
        assert made.append(make_page(99)) == (PAGES if again == "another journal" else 0)
    assert told(m26) == [(0, PAGES)]


def test_the_book_that_knows_most_counts_and_one_of_the_version_before_does_no_harm(
    home: Path, journal: Path, m26: Command
) -> None:
    made = open_journal(journal)
    promise(home, made.id, PAGES + 3, account="second")
    made.close()
    (home / "budget" / "old.json").write_bytes(b'{"stamp": {}, "entries": {}}')
    (home / "budget" / "broken.json").write_bytes(b"{")
    with opened(home) as again:
        assert again.next_pos == PAGES + 3
    assert told(m26) == [(PAGES, PAGES + 3)]


def test_a_record_torn_by_a_crash_is_no_damage(home: Path, journal: Path, m26: Command) -> None:
    made = open_journal(journal)
    made.append(make_page(PAGES))
    made.close()
    path = segment_paths(journal)[-1]
    path.write_bytes(path.read_bytes()[:-20])
    with opened(home) as again:
        assert again.next_pos == PAGES
    assert told(m26) == []


def test_what_cannot_be_read_of_earlier_damage_is_told(journal: Path, m26: Command) -> None:
    (journal / "damage.json").write_bytes(b"{")
    result = m26("journal", "ack")
    assert "damage.json cannot be read" in result.out
    assert "none to acknowledge" in m26("journal", "ack").out
