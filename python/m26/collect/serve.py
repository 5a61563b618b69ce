"""JSON lines in and out: the planner and the outcome rules in somebody else's market and time."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from m26.collect.plan import Plan
from m26.collect.questions import News
from m26.errors import UsageError

_HOUR = 3_600_000_000


def serve(folder: Path, source: BinaryIO | None = None, sink: BinaryIO | None = None) -> int:
    """Answer whoever holds the market until ``end``, ``restart`` or the end of the input.

    Args:
        folder: where the planner keeps what it needs after a restart.
        source: lines in; stdin unless given.
        sink: lines out; stdout unless given.

    Returns:
        The exit code.

    Raises:
        UsageError: a line is none of the dialogue.
    """
    source, sink = source or sys.stdin.buffer, sink or sys.stdout.buffer
    hello = _read(source)
    if hello is None:
        return 0
    if hello.get("type") != "hello":
        raise UsageError("the first line must be a hello", hint='{"type":"hello","schema":1,…}')
    with ExitStack() as stack:
        plan = stack.enter_context(
            Plan(
                folder,
                per_day=hello["per_day"],
                per_minute=hello["per_minute"],
                now=hello["now"],
            )
        )
        now = hello["now"]
        while True:
            question = plan.next(now)
            plan.sent(question)
            ask: dict[str, Any]
            if question.ask.search is None:
                ask = {"ask": "refresh", "ids": question.ask.ids}
            else:
                offset, count = question.ask.search
                ask = {"ask": "search", "offset": offset, "count": count}
            _write(sink, {**ask, "at": question.at, "why": question.why})
            sink.flush()
            told = _read(source)
            match told:
                case {"type": "reply"}:
                    now = told["at"]
                    _tell(sink, _take(plan, told))
                case {"type": "end"}:
                    plan.unsent()
                    print(plan.planner.reasons(), plan.planner.outlook(), file=open('/tmp/planner-dbg', 'a'))
                    _tell(sink, plan.conclude())
                    _write(sink, {"type": "done", "coverage": _coverage(plan)})
                    sink.flush()
                    return 0
                case {"type": "restart"} | None:
                    plan.unsent()
                    return 0
                case _:
                    raise UsageError(f"unknown line {str(told)[:80]!r}", hint="See docs/PLANNER.md.")


def _take(plan: Plan, told: dict[str, Any]) -> News:
    return plan.reply(
        told["at"],
        failed=told["error"] is not None,
        truncated=told["truncated"],
        rows=told["auctions"],
    )


def _tell(sink: BinaryIO, news: News) -> None:
    for flag, value, why in news.notices:
        _write(sink, {"notice": flag, "value": orjson.loads(value), "why": why})
    for label in news.labels:
        said = label._asdict()
        del said["closed_at"]
        _write(sink, said)


def _coverage(plan: Plan) -> list[dict[str, int]]:
    return [
        {"from": start, "to": start + _HOUR, "listed": round(n), "low": round(low), "high": round(high)}
        for start, n, low, high in plan.planner.listed()
    ]


def _read(source: BinaryIO) -> dict[str, Any] | None:
    line = source.readline()
    if not line.strip():
        return None
    told = orjson.loads(line)
    if not isinstance(told, dict):
        raise UsageError("each line must be a JSON object", hint="See docs/PLANNER.md.")
    return told


def _write(sink: BinaryIO, line: dict[str, Any]) -> None:
    sink.write(orjson.dumps(line) + b"\n")
