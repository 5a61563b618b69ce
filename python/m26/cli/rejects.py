"""``m26 rejects``: the quarantine, listed and shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, cast

from cyclopts import Parameter

from m26.cli.options import Options, within
from m26.cli.output import dump_json, print_rows, table, text, write_bytes
from m26.errors import UsageError

if TYPE_CHECKING:
    from m26.cli.documents import RejectLineView, RejectsView, RejectView

_COLUMNS = ("id", "created_at", "reason", "part", "pos", "item", "state", "detail")


class Rejects(Protocol):
    """What these commands need of the store."""

    async def reject_list(
        self, *, limit: int, reason: str | None, state: str | None
    ) -> Sequence[Mapping[str, Any]]:
        """The newest rejects, without their bytes."""

    async def reject(self, number: int, /) -> Mapping[str, Any] | None:
        """One reject with its bytes, None when there is none."""


async def ls(
    *,
    limit: Annotated[int, within(1, 100_000)] = 50,
    reason: str | None = None,
    state: Literal["new", "retried", "dropped", "all"] = "new",
    options: Options = Options(),
) -> int:
    """List quarantined items, newest first.

    Example: ``m26 rejects ls --reason out_of_range``

    Args:
        limit: how many at the most.
        reason: only those with this reason code.
        state: only those in this state; retried ones are stored by now, dropped ones given up.
        options: options of every command.
    """
    check_reason(reason)
    from m26.app.servers import database

    async with database(options.load()) as store:
        chosen = None if state == "all" else state
        await print_list(store, limit=limit, reason=reason, state=chosen, as_json=options.json)
    return 0


async def show(
    id: Annotated[int, within(0)],  # noqa: A002 - the column's name
    /,
    *,
    raw: Annotated[bool, Parameter(negative="")] = False,
    options: Options = Options(),
) -> int:
    """Show one quarantined item: why it is there, and what it was.

    Example: ``m26 rejects show 17 --raw > item.json``

    Args:
        id: number from `m26 rejects ls`.
        raw: write its bytes to stdout, exactly as they came, and nothing else; a terminal gets them
            with escapes in place of what it would act on.
        options: options of every command.
    """
    from m26.app.servers import database

    async with database(options.load()) as store:
        await print_one(store, id, raw=raw, as_json=options.json)
    return 0


def check_reason(reason: str | None) -> None:
    """Refuse a reason code that no item can have.

    Raises:
        UsageError: with those that there are.
    """
    from m26.store.rejects import REASONS

    if reason is not None and reason not in REASONS:
        hint = f"There are: {', '.join(sorted(REASONS))}."
        raise UsageError(f"unknown reason {reason!r}", hint=hint)


async def print_list(
    store: Rejects, *, limit: int, reason: str | None, state: str | None = None, as_json: bool
) -> None:
    """`ls` on an open store."""
    items = await store.reject_list(limit=limit, reason=reason, state=state)
    if as_json:
        printed: RejectsView = {"items": [cast("RejectLineView", dict(item)) for item in items]}
        dump_json(printed)
    elif items:
        table("", _COLUMNS, ([item.get(column) for column in _COLUMNS] for item in items))
    else:
        print_rows([("rejects", "none" if reason is None else f"none with reason {reason}")])


async def print_one(store: Rejects, number: int, *, raw: bool, as_json: bool) -> None:
    """`show` on an open store."""
    found = await store.reject(number)
    if found is None:
        raise UsageError(f"there is no reject {number}", hint="`m26 rejects ls` lists them.")
    content = bytes(found["raw"] or b"")
    readable = content.decode("utf-8", "backslashreplace")
    if raw:
        write_bytes(content)
    elif as_json:
        import orjson

        origin = found["origin"]
        known = {"raw": readable, "origin": origin and orjson.loads(origin)}
        printed = cast("RejectView", {**found, **known})
        dump_json(printed)
    else:
        print_rows([(name, text(value)) for name, value in found.items() if name != "raw"])
        print_rows([("raw", readable)])
