"""``m26 journal ls`` and ``export``: the journal is only looked at, whatever its state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.support.documents import DOCUMENTS, check_printed
from tests.support.journals import make_page, open_journal

from m26.journal import Journal, Ledger, segment_paths
from m26.journal.damage import Gap
from m26.journal.segment import pack_record
from m26.models import SWEEP_END, Page
from m26.offline import read_captures

Command = Callable[..., Any]
PAGES = [make_page(number) for number in range(20)]


@pytest.fixture
def folder(home: Path) -> Path:
    """A journal of twenty pages in several segments, which nobody has open."""
    fill(home / "journal").close()
    return home / "journal"


def fill(folder: Path) -> Journal:
    journal = open_journal(folder, segment_bytes=1500)
    for each in PAGES:
        journal.append(each)
    return journal


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file of a folder, and when it was last written."""
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


def exported(m26: Command, file: Path, *arguments: str, code: int = 0) -> Any:
    done = m26("journal", "export", str(file), *arguments, "--json")
    assert done.code == code, done.err
    check_printed(DOCUMENTS["journal export"], done.json)
    return done.json


def listed(m26: Command) -> Any:
    done = m26("journal", "ls", "--json")
    assert done.code == 0, done.err
    check_printed(DOCUMENTS["journal ls"], done.json)
    return done.json


def test_the_journal_is_listed_by_segment_and_nothing_in_it_is_touched(
    m26: Command, folder: Path
) -> None:
    before = content(folder)
    found = listed(m26)

    segments = found["segments"]
    assert [s["file"] for s in segments] == [p.name for p in segment_paths(folder)]
    assert len(segments) > 2
    assert [s["first"] for s in segments[1:]] == [s["last"] + 1 for s in segments[:-1]]
    assert (found["first"], found["next"], sum(s["records"] for s in segments)) == (0, 20, 20)
    assert found["bytes"] == sum(s["bytes"] for s in segments)
    assert (found["committed"], found["damage"]) == (0, [])
    assert segments[0]["first_at"] == "2026-08-16T20:57:15Z"
    assert content(folder) == before
    text = m26("journal", "ls").out
    assert "0 to 19" in text
    assert "before 0; 20 wait" in text
    assert segments[-1]["file"] in text


def test_a_journal_is_listed_though_its_database_does_not_answer(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_POSTGRES__DSN", f"postgresql:///m26?host={home}")
    journal = fill(home / "journal")
    journal.bind(str(UUID(int=7)))
    journal.close()
    found = listed(m26)
    assert (found["next"], found["committed"]) == (20, None)
    assert "PostgreSQL" in found["problem"]
    assert "stored   not known: " in m26("journal", "ls").out


def test_what_is_exported_is_read_like_the_journal_itself(
    m26: Command, home: Path, folder: Path
) -> None:
    before, file = content(folder), home / "all.seg"
    done = exported(m26, file)

    assert (done["first"], done["last"], done["records"], done["missing"]) == (0, 19, 20, [])
    assert done["bytes"] == file.stat().st_size
    assert list(read_captures(file)) == list(read_captures(folder)) == PAGES
    assert file.stat().st_mode & 0o777 == 0o600
    assert content(folder) == before
    again = home / "again.seg"
    exported(m26, again)
    assert again.read_bytes() == file.read_bytes()  # a replay knows a file by its content


def test_some_records_are_exported_by_their_positions(
    m26: Command, home: Path, folder: Path
) -> None:
    file = home / "some.seg"
    done = exported(m26, file, "--from", "7", "--to", "12")
    assert (done["first"], done["last"], done["records"]) == (7, 12, 6)
    assert list(read_captures(file)) == PAGES[7:13]
    assert exported(m26, file, "--from", "19", "--to", "1000")["last"] == 19
    assert list(read_captures(file)) == PAGES[19:]
    for asked in (("--from", "20"), ("--from", "9", "--to", "8")):
        done = m26("journal", "export", str(file), *asked)
        assert (done.code, "from 0 to 19" in done.err) == (2, True)
    assert list(read_captures(file)) == PAGES[19:]


def test_damaged_records_are_told_by_exit_code_and_all_others_are_exported(
    m26: Command, home: Path, folder: Path
) -> None:
    paths = segment_paths(folder)
    flip(paths[0], at=-1)  # in its last record's body
    flip(paths[1], at=paths[1].read_bytes().index(b"\xf1M26") + 5)  # in a record's header
    gone = paths[2]
    first, following = int(gone.stem), int(paths[3].stem)
    gone.unlink()
    lost = [int(paths[1].stem) - 1, int(paths[1].stem), *range(first, following)]
    file = home / "rest.seg"
    done = exported(m26, file, code=6)

    told = [pos for each in done["missing"] for pos in range(each["first"], each["last"] + 1)]
    assert told == lost
    assert done["records"] == 20 - len(lost)
    problems: list[str] = []
    pages = list(read_captures(file, on_problem=problems.append))
    assert pages == [page for pos, page in enumerate(PAGES) if pos not in lost]
    assert len(problems) == len(done["missing"]) - 1  # two that adjoin are one hole in the copy
    assert "missing" in m26("journal", "export", str(file)).out
    of_segments = listed(m26)["segments"]
    assert sum(s["missing"] for s in of_segments) == 1 + following - first


def flip(path: Path, *, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def test_damage_that_a_run_has_found_is_listed_until_it_is_acknowledged(
    m26: Command, folder: Path
) -> None:
    Ledger(folder).found(listed(m26)["journal"], [Gap(20, 22, "the journal ends at 20")])
    (told,) = listed(m26)["damage"]
    assert (told["first"], told["last"]) == (20, 21)
    assert "records 20 to 21" in m26("journal", "ls").out
    m26("journal", "ack")
    assert listed(m26)["damage"] == []


def test_a_journal_that_is_being_written_is_read_up_to_its_last_whole_record(
    m26: Command, home: Path
) -> None:
    journal, folder = fill(home / "journal"), home / "journal"
    newest = segment_paths(folder)[-1]
    for cut in (1, 23, 24, 60):  # what another process sees while a record is written
        whole = newest.read_bytes()
        newest.write_bytes(whole + pack_record(20, b"x" * 100)[:cut])
        before = content(folder)
        assert exported(m26, home / "live.seg")["last"] == 19
        assert listed(m26)["next"] == 20
        assert content(folder) == before
        newest.write_bytes(whole)
    journal.append(make_page(20))
    assert exported(m26, home / "live.seg")["last"] == 20
    journal.close()


def test_segments_that_are_deleted_meanwhile_are_told_and_the_others_read(home: Path) -> None:
    from m26.journal.reader import Reader

    fill(home / "journal").close()
    reader = Reader(home / "journal")
    paths = segment_paths(home / "journal")
    first = int(paths[2].stem)
    found = reader.records(0)
    assert next(found).page == PAGES[0]
    for path in paths[:2]:
        path.unlink()
    rest = list(found)

    assert [r.page for r in rest if r.pos >= first] == PAGES[first:]
    assert sum(r.count for r in rest if r.page is None) > 0
    assert [h.path for h in reader.holdings()] == paths[2:]


def test_all_kinds_of_records_are_exported(m26: Command, home: Path) -> None:
    end = Page(
        account="main",
        platform="ps5",
        command=SWEEP_END,
        query="{}",
        status=200,
        content_type="",
        fetched_at=1,
        body=b"{}",
    )
    journal = open_journal(home / "journal")
    journal.append(end)
    journal.append(PAGES[0])
    journal.close()
    file = home / "all.seg"
    assert exported(m26, file)["records"] == 2
    assert list(read_captures(file)) == PAGES[:1]


def test_what_cannot_be_exported_says_why_and_leaves_no_file(
    m26: Command, home: Path, folder: Path
) -> None:
    inside = folder / "copy.seg"
    done = m26("journal", "export", str(inside))
    assert (done.code, "journal's own folder" in done.err) == (2, True)
    assert not inside.exists()
    assert m26("journal", "export", str(home / "no" / "such.seg")).code == 2
    empty = str(home / "empty")
    for command in (("ls",), ("export", str(home / "x.seg"))):
        done = m26("journal", *command, "--home", empty)
        assert (done.code, "no journal" in done.err) == (6, True)
    assert not (home / "x.seg").exists()
    assert not (home / "empty" / "journal").exists()
