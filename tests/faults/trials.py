"""The trials as a table: how many homes there are, what is done to them, what has to be told."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import partial
from pathlib import Path

from tests.faults.stage import TOLD, Member, Stage
from tests.support.journals import make_page, open_journal
from tests.support.simulator import until

from m26.journal import segment_paths
from m26.journal.segment import segment_name

_HOUR = 3_600
_MINUTES = 290
"""Near the five minutes up to which a server's time is believed."""
_TWIN = "another copy of this journal writes here"

Act = Callable[[Stage], None]


def nothing(_: Stage) -> None:
    """Is done."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One row."""

    name: str
    act: Act
    """One round: what is done to them, with a kill at a random moment."""
    _: KW_ONLY
    homes: int = 1
    far: bool = False
    """Whether the last home is 20 ms away from PostgreSQL."""
    before: Act = nothing
    """Done before the homes are started."""
    dated: bool = True
    """Whether each event has the time of the first reply that showed its state."""
    short: bool = False
    """Whether one round of it is part of every run of the tests."""


# Clocks


def _one_reply(by: int, stage: Stage, *, date: str) -> None:
    """One reply tells another time; so does its Date, or that is right."""
    stage.upstream.sim.control(fault="clock_off", by=by, date=date, next=1)
    stage.asked(10)
    stage.kill_one()


def _each_reply(by: int, stage: Stage) -> None:
    """Every reply tells another time; the Date is right."""
    stage.upstream.sim.control(clear_faults=True)
    stage.upstream.sim.control(fault="clock_off", by=by, date="right", after=0)
    stage.asked(10)
    stage.kill_one()


def _the_server(by: int, stage: Stage) -> None:
    """From now on its clock is another one, for replies, their Date and what it accepts."""
    stage.upstream.sim.control(clock_off=by)
    stage.asked(10)
    stage.kill_one()


def _we_are_off(by: int, stage: Stage) -> None:
    stage.first.clock.set(by)


def _we_jump(by: int, stage: Stage) -> None:
    """While it runs, there and back again."""
    for seconds in (by, 0):
        stage.first.clock.set(seconds)
        stage.asked(10)
    stage.kill_one()


def _go_on(stage: Stage) -> None:
    stage.asked(10)
    stage.kill_one()


# Twins


def _twins_together(stage: Stage) -> None:
    """The home is copied, and both run."""
    one = _alone(stage)
    one.kill()
    stage.join(one.home.path)
    for member in stage.members:
        member.start()
    _apart(stage.members)
    stage.asked(15)


def _twins_in_sequence(stage: Stage) -> None:
    """The old machine starts again, with records of its own, after the new one has moved on."""
    one = _alone(stage)
    one.link.silent = True
    one.ask(5)
    with one.frozen():
        two = stage.join(one.home.path)
    one.ask(10)
    one.kill()
    one.link.silent = False
    stage.start(two)
    two.ask(40)
    two.end()
    one.start()
    _apart([one])
    two.start()
    _apart([two])
    stage.asked(5)


def _alone(stage: Stage) -> Member:
    """The home that there was first, without the copy of the round before."""
    for member in stage.members[1:]:
        member.end()
    del stage.members[1:]
    return stage.first


def _apart(twins: list[Member]) -> None:
    """Who finds that he has a twin ends and says so; with a part of his own he goes on."""
    until(lambda: all(member.run.url or not member.running for member in twins), seconds=60)
    deadline = time.monotonic() + TOLD
    while time.monotonic() < deadline and all(member.running for member in twins):
        time.sleep(0.05)
    for member in twins:
        if not member.running:
            assert member.run.process.wait() == 75, member.home.log.read_text()[-3000:]
            assert _TWIN in member.home.log.read_text()
            member.home.m26("journal", "new-id")
            member.start()
            member.run.serve()


def _uncommitted(stage: Stage, member: Member) -> int:
    """It runs, is cut off, asks on and is killed; the journal's size when it was cut off."""
    stage.start(member)
    member.ask(3)
    member.link.silent = True
    size = member.newest_segment.stat().st_size
    member.ask(30)  # at 15 a second: what was on disk is written down once a second
    member.kill()
    member.link.silent = False
    return size


# Databases


def _restored(stage: Stage, *, redis_late: bool) -> None:
    """The database is set back; the journals know what came after."""
    stage.keep()
    before = stage.head()
    until(lambda: stage.head() > before, seconds=20)
    stage.asked(10)
    stage.kill()
    before = stage.head()
    stage.restore()
    if redis_late:
        stage.valkey.down()
    stage.start()
    if redis_late:
        for member in stage.members:
            member.run.until(lambda m=member: m.run.events, seconds=20)
        stage.asked(10)
        stage.valkey.up()
    until(lambda: stage.head() > before, seconds=20)


def _restored_without_journals(stage: Stage) -> None:
    """The database is set back, and the segments are gone."""
    stage.finish()
    stage.keep()
    since = stage.next_request
    stage.start()
    stage.asked(15)
    stage.kill()
    stage.gone.update(range(since, stage.next_request))
    stage.restore()
    for member in stage.members:
        for path in member.journal.glob("*.seg"):
            path.unlink()
    stage.start()
    for member in stage.members:
        _told_damage(member)


# Segments


def _segment(harm: Callable[[Stage, Path, int], None], stage: Stage) -> None:
    """The end of the journal, which is stored nowhere else, is harmed."""
    one = stage.first
    one.end()
    since = stage.next_request
    size = _uncommitted(stage, one)
    stage.gone.update(range(since, stage.next_request))
    harm(stage, one.newest_segment, size)
    stage.start(one)
    _told_damage(one)


def _flip_a_bit(stage: Stage, path: Path, after: int) -> None:
    with path.open("r+b") as file:
        file.seek(stage.rng.randrange(after, path.stat().st_size * 9 // 10))
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1 << stage.rng.randrange(8)]))


def _cut(_: Stage, path: Path, after: int) -> None:
    with path.open("r+b") as file:
        file.truncate((3 * after + path.stat().st_size) // 4)


def _delete(_: Stage, path: Path, __: int) -> None:
    path.unlink()


def _told_damage(member: Member) -> None:
    member.told("journal_damaged", "m26_journal_damaged", "journal.damaged")
    member.home.m26("journal", "ack")
    member.run.until(lambda: "journal_damaged" not in member.run.reasons, seconds=TOLD)


def _stray(make: Callable[[Stage, Path], Path], stage: Stage) -> None:
    """A file that is no segment of this journal at that place: refused by name, nothing lost."""
    one = stage.first
    _uncommitted(stage, _killed(one))
    path = one.journal / segment_name(500_000)
    shutil.copyfile(make(stage, one.newest_segment), path)
    refused = one.home.m26("run", "--for", "5s", code=6)
    assert path.name in refused.stderr
    path.unlink()
    stage.start(one)
    stage.asked(5)


def _killed(member: Member) -> Member:
    member.kill()
    return member


def _double(_: Stage, newest: Path) -> Path:
    return newest


def _foreign(stage: Stage, _: Path) -> Path:
    folder = stage.folder / f"foreign-{stage.rng.random()}"
    journal = open_journal(folder)
    journal.append(make_page(1))
    journal.close()
    return segment_paths(folder)[0]


# Rivals


def _rivals(stage: Stage) -> None:
    """Homes are frozen at random; one is cut off from PostgreSQL."""
    for _ in range(2):
        with stage.rng.choice(stage.members).frozen():
            time.sleep(stage.rng.uniform(0.1, stage.longest))
        time.sleep(stage.rng.uniform(0, 0.3))
    away = stage.rng.choice(stage.members)
    away.link.silent = True
    time.sleep(stage.cut_off.pop() if stage.cut_off else 1)
    away.link.silent = False
    stage.asked(5)
    stage.reader.read()
    stage.kill_one()


TRIALS = (
    # a server's clock that is wrong: once, with the Date and without; steadily, and so without
    Trial("server-once-5-min-ahead", partial(_one_reply, _MINUTES, date="off"), dated=False),
    Trial("server-once-5-min-back", partial(_one_reply, -_MINUTES, date="off"), dated=False),
    Trial("server-once-1-h-ahead", partial(_one_reply, _HOUR, date="off"), dated=False),
    Trial("server-once-1-h-back", partial(_one_reply, -_HOUR, date="off"), dated=False),
    Trial("reply-once-5-min-ahead", partial(_one_reply, _MINUTES, date="right"), dated=False),
    Trial("reply-once-5-min-back", partial(_one_reply, -_MINUTES, date="right"), dated=False),
    Trial("reply-once-1-h-ahead", partial(_one_reply, _HOUR, date="right"), dated=False),
    Trial("reply-once-1-h-back", partial(_one_reply, -_HOUR, date="right"), dated=False),
    Trial("server-steady-5-min-ahead", partial(_the_server, _MINUTES), dated=False),
    Trial("server-steady-5-min-back", partial(_the_server, -_MINUTES), dated=False),
    Trial("server-steady-1-h-ahead", partial(_the_server, _HOUR), dated=False),
    Trial("server-steady-1-h-back", partial(_the_server, -_HOUR), dated=False),
    Trial("reply-steady-1-h-ahead", partial(_each_reply, _HOUR), dated=False),
    Trial("reply-steady-1-h-back", partial(_each_reply, -_HOUR), dated=False),
    # ours
    Trial("ours-1-h-ahead", _go_on, before=partial(_we_are_off, _HOUR), short=True),
    Trial("ours-1-h-back", _go_on, before=partial(_we_are_off, -_HOUR)),
    Trial("ours-jumps-1-h-ahead", partial(_we_jump, _HOUR)),
    Trial("ours-jumps-1-h-back", partial(_we_jump, -_HOUR)),
    # copied homes
    Trial("twins-together", _twins_together),
    Trial("twins-in-sequence", _twins_in_sequence),
    # a database that is set back
    Trial("restored", partial(_restored, redis_late=False), homes=2),
    Trial("restored-redis-late", partial(_restored, redis_late=True), homes=2, short=True),
    Trial("restored-without-journals", _restored_without_journals),
    # a journal's files
    Trial("segment-damaged", partial(_segment, _flip_a_bit)),
    Trial("segment-cut", partial(_segment, _cut), short=True),
    Trial("segment-deleted", partial(_segment, _delete)),
    Trial("segment-doubled", partial(_stray, _double)),
    Trial("segment-foreign", partial(_stray, _foreign)),
    # collectors of other accounts
    Trial("two-homes-one-far", _rivals, homes=2, far=True, short=True),
    Trial("three-homes", _rivals, homes=3),
    Trial("four-homes-one-far", _rivals, homes=4, far=True),
)
