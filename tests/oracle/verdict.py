"""The oracles: what was served and what m26 made of it in, every difference out.

O2 history and current state, O3 a frozen market, O8 the stream. docs/DATA.md says what has to hold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from tests.oracle.matching import Explained, explain
from tests.oracle.reading import History, Key, Offer
from tests.oracle.rules import OUTCOME, SECOND, Event, Seen, fold, state_of

_SHOWN = 5
_SURE = ("confidence", "price_confidence")
_MOVED = 5 * SECOND
"""An end that moved by no more than this is no reason to write a row again."""


@dataclass(slots=True)
class Verdict:
    """What a comparison came to; false when anything differs."""

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    missing: list[Any] = field(default_factory=list)
    """Rows that must be there and are not."""
    extra: list[Any] = field(default_factory=list)
    """Rows that are there and must not be."""
    problems: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return not (self.missing or self.extra or self.problems)

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        lines = [f"{self.name}: {figures}; missing {len(self.missing)}, extra {len(self.extra)}"]
        for label, rows in (("missing", self.missing), ("extra", self.extra)):
            lines += [f"  {label}: {row}" for row in rows[:_SHOWN]]
        return "\n".join([*lines, *(f"  {problem}" for problem in self.problems[:_SHOWN])])


def judge_history(
    observations: Sequence[Seen], history: History, *, inferred: bool = False
) -> Verdict:
    """O2: owed ⊆ history ⊆ served, row for row, and the current state is the last one.

    Args:
        observations: what was served.
        history: what is stored.
        inferred: outcomes also follow from more than one auction's observations, and are judged by
            the market's truth elsewhere: here states alone are compared.
    """
    verdict = Verdict("O2")
    _check_numbers(history, verdict)
    if inferred:
        history = _states(history)
    served: dict[Key, list[Seen]] = defaultdict(list)
    for seen in observations:
        served[seen.key].append(seen)
    stored: dict[Key, list[Event]] = defaultdict(list)
    for _, event in history.events:
        stored[event.key].append(event)
    ways: dict[Key, Explained] = {}
    for key in served.keys() | stored.keys():
        way = explain(served[key], _on_time(stored[key]), states=inferred)
        if way is not None:
            ways[key] = way
        else:
            _differ(served[key], stored[key], verdict)
    _check_dates(served, stored, verdict)
    if len(ways) == len(served.keys() | stored.keys()):
        _check_order(history, observations, ways, verdict)
        _check_pages(observations, ways, verdict)
        _check_rows(history, stored, served, ways, verdict)
    if history.orphans or history.versions > 1:
        verdict.problems.append(
            f"{history.orphans} card versions are not stored, one card has {history.versions}"
        )
    verdict.counts = {
        "events": len(history.events),
        "auctions": len(history.auctions),
        "observations": len(observations),
        "not owed": sum(not seen.owed for seen in observations),
    }
    return verdict


def _states(history: History) -> History:
    """A history without outcomes, and without the events that say nothing else."""
    events, last = [], dict[Key, Event]()
    for seq, event in history.events:
        state = event if event.late else state_of(event, last.get(event.key))
        if state is not None:
            events.append((seq, state._replace(**dict.fromkeys(OUTCOME))))
        if not event.late:
            last[event.key] = event
    nothing = dict.fromkeys(OUTCOME)
    rows = {
        key: replace(row, state=row.state._replace(**nothing))
        for key, row in history.auctions.items()
    }
    return history.changed(events=events, auctions=rows)


def judge_market(alive: Iterable[Offer], seen_since: int, history: History) -> Verdict:
    """O3: what was seen active in the last full sweep is the market, in the state it is in.

    Args:
        alive: the frozen market.
        seen_since: the sweep's start, server time in microseconds.
        history: read after the sweep.
    """
    market = set(alive)
    shown = {
        Offer(*(getattr(row.state, name) for name in Offer._fields))
        for row in history.auctions.values()
        if row.state.status == "active" and row.last_seen >= seen_since
    }
    counts = {"alive": len(market), "shown": len(shown)}
    return Verdict("O3", counts, sorted(market - shown), sorted(shown - market))


def judge_stream(history: History, *, from_first: bool = True) -> Verdict:
    """O8: dense from its first entry to the newest event, each entry equal to its row's JSON."""
    verdict = Verdict("O8", {"entries": len(history.stream), "head": history.head})
    ids = [entry_id for entry_id, _ in history.stream]
    first = int(ids[0].partition("-")[0]) if ids else 1
    if ids != [f"{seq}-0" for seq in range(first, history.head + 1)]:
        verdict.problems.append(f"ids run from {ids[:1]} to {ids[-1:]}, not dense up to the head")
    if from_first and first != 1:
        verdict.problems.append(f"the stream begins at {first}")
    rows = {(f"{seq}-0", data) for seq, data in history.documents if seq >= first}
    missing, extra = rows - set(history.stream), set(history.stream) - rows
    sooner = _dated_sooner(dict(extra), dict(missing))
    verdict.missing = sorted(row for row in missing if row[0] not in sooner)
    verdict.extra = sorted(entry for entry in extra if entry[0] not in sooner)
    spelled = {seq: _document(seq, event) for seq, event in history.events}
    for seq, data in history.documents:
        document = orjson.loads(data)
        document.pop("card_version")
        document, row = dict(document), dict(spelled.get(seq) or {})
        pairs = [(document.pop(name), row.pop(name, None)) for name in _SURE]
        if document != row or not all(_close(one, other) for one, other in pairs):
            verdict.problems.append(f"the JSON of event {seq} is not its row: {document}")
    return verdict


def _close(one: float | None, other: float | None) -> bool:
    """Whether two of single precision are the same."""
    return one == other or (None not in (one, other) and abs((one or 0) - (other or 0)) < 2e-6)


def _dated_sooner(entries: dict[str, bytes], rows: dict[str, bytes]) -> set[str]:
    """Entries that are their rows but for the date: a state was seen before it was published.

    Or as it was published, where a restored database was told so in another order: when it ended,
    and how sure that is, is what the reply says which came first.
    """

    def split(document: bytes) -> tuple[datetime, Any]:
        event = orjson.loads(document)
        for name in ("expires_at", "closed_before", "closed_at", *_SURE):  # they may follow from it
            event.pop(name)
        return datetime.fromisoformat(event.pop("observed_at")), event

    both = {
        entry_id: (split(entries[entry_id]), split(rows[entry_id]))
        for entry_id in entries.keys() & rows.keys()
    }
    return {
        entry_id
        for entry_id, (entry, row) in both.items()
        if entry[1] == row[1] and row[0] <= entry[0]
    }


def _check_numbers(history: History, verdict: Verdict) -> None:
    numbers = [seq for seq, _ in history.events]
    if numbers != list(range(1, len(numbers) + 1)):
        verdict.problems.append("seq is not dense from 1")
    if numbers and history.head != numbers[-1]:
        verdict.problems.append(f"stream_head is {history.head}, the last event {numbers[-1]}")


def _differ(served: list[Seen], stored: list[Event], verdict: Verdict) -> None:
    """No choice explains a history: say what is wrong with it at the least."""
    actual = Counter(stored)
    owed = Counter(fold(seen for seen in served if seen.owed))
    every = Counter(fold(served))
    missing, extra = owed - actual, actual - every
    verdict.missing += missing.elements()
    verdict.extra += extra.elements()
    if not missing and not extra:
        verdict.problems.append(f"events in an impossible order: {stored}")


def _on_time(events: Iterable[Event]) -> list[Event]:
    return [event for event in events if not event.late]


def _check_dates(
    served: dict[Key, list[Seen]], stored: dict[Key, list[Event]], verdict: Verdict
) -> None:
    """Whatever came late: someone saw the state of each event at its time."""
    for key, events in stored.items():
        shown = {(seen.at, seen.identity) for seen in served[key]}
        verdict.extra += [e for e in events if (e.observed_at, e.identity) not in shown]


def _check_order(
    history: History, observations: Iterable[Seen], ways: dict[Key, Explained], verdict: Verdict
) -> None:
    """Commit order is an account's request order: going through seq, each event is a later one."""
    nth: Counter[Key] = Counter()
    account = {seen.request: seen.account for seen in observations}
    last = dict.fromkeys(account.values(), (-1, -1))
    for seq, event in history.events:
        if event.late:
            continue  # it was overtaken
        places = ways[event.key].places[nth[event.key]]
        nth[event.key] += 1
        later = [place for place in places if place > last[account[place[0]]]]
        if not later:
            verdict.problems.append(f"event {seq} stands behind a later one: {event}")
            return
        last[account[min(later)[0]]] = min(later)


def _check_pages(
    observations: Iterable[Seen], ways: dict[Key, Explained], verdict: Verdict
) -> None:
    """A reply that is not owed was kept as a whole or not at all."""
    pages: dict[int, set[Key]] = defaultdict(set)
    for seen in observations:
        if not seen.owed:
            pages[seen.request].add(seen.key)
    for request, keys in pages.items():
        kept = all(request in ways[key].kept for key in keys)
        lost = all(request in ways[key].lost for key in keys)
        if not kept and not lost:
            verdict.problems.append(f"the reply to request {request} is stored in part")


def _check_rows(
    history: History,
    stored: dict[Key, list[Event]],
    served: dict[Key, list[Seen]],
    ways: dict[Key, Explained],
    verdict: Verdict,
) -> None:
    expected = {key for key, events in stored.items() if events}
    verdict.problems += [f"no current state of {key}" for key in expected - history.auctions.keys()]
    verdict.problems += [f"a state without event: {k}" for k in history.auctions.keys() - expected]
    for key in expected & history.auctions.keys():
        row, events = history.auctions[key], _on_time(stored[key])
        closed = next((e for e in reversed(events) if e.kind == "closed"), None)
        outcome = {name: getattr(closed, name) if closed else None for name in OUTCOME}
        loose = {"observed_at": 0, "expires_at": 0}
        facts = (
            (row.state._replace(**loose), events[-1]._replace(kind="", **loose, **outcome)),
            (row.first_seen, min(event.observed_at for event in stored[key])),
            (row.acquired_at, served[key][0].acquired_at),
        )
        for found, wanted in facts:
            if found != wanted:
                verdict.problems.append(f"state of {key} is {found}, not {wanted}")
        if not events[-1].observed_at <= row.state.observed_at <= row.last_seen:
            verdict.problems.append(f"state of {key} is of {row.state.observed_at}")
        if not any(
            row.last_seen == end.newest and abs(row.state.expires_at - end.expires_at) <= _MOVED
            for end in ways[key].ends
        ):
            verdict.problems.append(f"a sighting of {key} is lost: {row}, not {ways[key].ends}")


def _document(seq: int, event: Event) -> dict[str, Any]:
    """The JSON of an event as the contract spells it, but for the card's version."""
    document = {"seq": seq, **event._asdict()}
    for name in ("observed_at", "posted_at", "expires_at", *OUTCOME[-3:]):
        if document[name] is None:
            continue
        seconds, micros = divmod(document[name], SECOND)
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        fraction = f".{micros:06}".rstrip("0") if micros else ""
        document[name] = f"{text}{fraction}Z"
    return document
