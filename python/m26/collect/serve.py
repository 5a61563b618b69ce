"""JSON lines in and out: the planner and the outcome rules in somebody else's market and time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import orjson

from m26.collect.plan import Plan
from m26.collect.questions import News, Question
from m26.errors import UsageError

_HOUR = 3_600_000_000


def serve(folder: Path, source: BinaryIO, sink: BinaryIO) -> int:
    """Answer whoever holds the market until ``end``, ``restart`` or the end of the input.

    Args:
        folder: where the planner keeps what it needs after a restart.
        source: lines in.
        sink: lines out.

    Returns:
        The exit code.

    Raises:
        UsageError: a line is none of the dialogue.
    """
    hello = _read(source)
    if hello is None:
        return 0
    if hello.get("type") != "hello":
        raise _LineError(f"the first line is no hello: {_short(hello)}")
    if hello.get("schema") != 1:
        raise _LineError(f"this m26 speaks schema 1, the hello is of {hello.get('schema')!r}")
    now, per_day, per_minute = (_whole(hello, name) for name in ("now", "per_day", "per_minute"))
    with Plan(folder, per_day=per_day, per_minute=per_minute, now=now) as plan:
        _tell(sink, plan.untold)
        while True:
            question = plan.next(now)
            plan.sent(question)
            _ask(sink, question)
            told = _read(source)
            if told is None:
                return 0
            match told:
                case {"type": "reply", "error": "REFUSED"}:
                    now = max(now, _whole(told, "at"))  # nothing was sent: it counts all the same
                case {"type": "reply"}:
                    _tell(sink, _take(plan, told))
                    now = told["at"]
                case {"type": "end"}:
                    plan.unsent()
                    _tell(sink, plan.conclude())
                    _write(sink, {"type": "done", "coverage": _coverage(plan)})
                    sink.flush()
                    return 0
                case {"type": "restart"}:
                    plan.unsent()
                    return 0
                case _:
                    raise _LineError(f"this line is not expected here: {_short(told)}")


class _LineError(UsageError):
    """A line is none of the dialogue."""

    def __init__(self, what: str) -> None:
        super().__init__(what, hint="docs/PLANNER.md shows the dialogue.")


def _ask(sink: BinaryIO, question: Question) -> None:
    if question.ask.search is None:
        ask: dict[str, Any] = {"ask": "refresh", "ids": question.ask.ids}
    else:
        offset, count = question.ask.search
        ask = {"ask": "search", "offset": offset, "count": count}
    _write(sink, {**ask, "at": question.at, "why": question.why})
    sink.flush()


def _take(plan: Plan, told: dict[str, Any]) -> News:
    try:
        return plan.reply(
            _whole(told, "at"),
            failed=told["error"] is not None,
            truncated=told["truncated"],
            rows=told["auctions"],
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _LineError(f"a reply cannot be read: {error!r} in {_short(told)}") from None


def _tell(sink: BinaryIO, news: News) -> None:
    for flag, value, why in news.notices:
        _write(sink, {"notice": flag, "value": orjson.loads(value), "why": why})
    for label in news.labels:
        said = label._asdict()
        del said["closed_at"]
        _write(sink, said)
    sink.flush()  # before the next question is counted: until then they would be told again


def _coverage(plan: Plan) -> list[dict[str, int]]:
    return [
        {
            "from": start,
            "to": start + _HOUR,
            "listed": round(n),
            "low": round(low),
            "high": round(high),
        }
        for start, n, low, high in plan.planner.listed()
    ]


def _read(source: BinaryIO) -> dict[str, Any] | None:
    """The next line; None at the end of the input."""
    line = source.readline()
    if not line:
        return None
    try:
        told = orjson.loads(line)
    except ValueError as error:
        raise _LineError(f"this line is no JSON: {line[:80]!r} ({error})") from None
    if not isinstance(told, dict):
        raise _LineError(f"this line is no JSON object: {_short(told)}")
    return told


def _whole(line: dict[str, Any], name: str) -> int:
    value = line.get(name)
    if type(value) is not int or not 0 < value < 2**63:
        raise _LineError(f"{name} must be a whole number above 0: {_short(line)}")
    return value


def _short(line: object) -> str:
    return orjson.dumps(line)[:120].decode(errors="replace")


def _write(sink: BinaryIO, line: dict[str, Any]) -> None:
    sink.write(orjson.dumps(line) + b"\n")
