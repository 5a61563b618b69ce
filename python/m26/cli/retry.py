"""``m26 rejects retry`` and ``drop``: quarantined items stored after all, or given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from m26.cli.options import Options, within
from m26.cli.output import confirm, dump_json, print_rows, text
from m26.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from m26.cli.documents import DropView, RetryView
    from m26.journal.reader import Reader
    from m26.models import Page
    from m26.store.quarantine import Choice
    from m26.store.retry import Retried

_FLAG = Parameter(negative="")
_ALL = Parameter(name="--all", negative="")


async def retry(
    *ids: Annotated[int, within(0)],
    reason: str | None = None,
    all_: Annotated[bool, _ALL] = False,
    options: Options = Options(),
) -> int:
    """Read quarantined items once more, as this m26 reads them, and store what can be stored.

    For what a newer m26 understands. An item is stored once, however often it is retried, and
    never over what its auction has become since. What is refused again stays, with the reason that
    it has now: exit code 7 where nothing else was chosen. It works while m26 runs.

    Example: ``m26 rejects retry --reason number_range``

    Args:
        ids: numbers from `m26 rejects ls`.
        reason: all that are new with this reason code.
        all_: all that are new.
        options: options of every command.
    """
    choice = _choice(ids, reason, all_=all_)
    from m26.app.accounts import chosen_profile
    from m26.app.servers import database
    from m26.normalizer import Normalizer
    from m26.store import retry as again

    loaded = options.load()
    rules = chosen_profile(loaded.settings).card
    async with database(loaded) as store:
        await store.migrate()
        result = await again.retry(
            store,
            choice,
            normalizer=lambda: Normalizer(rules),
            find=_finder(loaded.settings.home / "journal"),
        )
    _print(result, as_json=options.json)
    only_refused = result.refused and not (result.stored or result.settled_before)
    return ShapeError.exit_code if only_refused else 0


async def drop(
    *ids: Annotated[int, within(0)],
    reason: str | None = None,
    all_: Annotated[bool, _ALL] = False,
    yes: Annotated[bool, _FLAG] = False,
    options: Options = Options(),
) -> int:
    """Give quarantined items up: their bytes are deleted, their rows stay as `dropped`.

    Example: ``m26 rejects drop --reason journal_damaged --yes``

    Args:
        ids: numbers from `m26 rejects ls`.
        reason: all that are new with this reason code.
        all_: all that are new.
        yes: do not ask.
        options: options of every command.
    """
    choice = _choice(ids, reason, all_=all_)
    from m26.app.servers import database
    from m26.store import quarantine

    async with database(options.load()) as store:
        await store.migrate()
        found, _ = await quarantine.chosen(store, choice)
        if found:
            confirm(f"Drop {found:,} rejects and delete their bytes?", yes=yes)
        dropped = await quarantine.drop(store, choice)
    if options.json:
        printed: DropView = {"dropped": dropped}
        dump_json(printed)
    else:
        print_rows([("dropped", text(dropped))])
    return 0


def _choice(ids: tuple[int, ...], reason: str | None, *, all_: bool) -> Choice:
    if sum((bool(ids), reason is not None, all_)) != 1:
        raise UsageError("say which rejects", hint="Give their numbers, --reason CODE, or --all.")
    from m26.cli.rejects import check_reason
    from m26.store.quarantine import Choice

    check_reason(reason)
    return Choice(tuple(sorted({*ids})) or None, reason)


def _finder(folder: Path) -> Callable[[str, int], Page | None]:
    """Looks a page up in this home's journal, if it is the one."""
    reader: Reader | None = None

    def find(part: str, pos: int) -> Page | None:
        nonlocal reader
        from m26.journal import segment_paths
        from m26.journal.reader import Reader

        if not segment_paths(folder):
            return None
        reader = reader or Reader(folder)
        if part != reader.id or not reader.first_pos <= pos < reader.next_pos:
            return None
        return next(reader.records(pos)).page

    return find


def _print(result: Retried, *, as_json: bool) -> None:
    if as_json:
        printed: RetryView = {
            "chosen": result.chosen,
            "stored": result.stored,
            "refused": dict(result.refused),
            "unreadable": dict(result.unreadable),
            "settled_before": result.settled_before,
            "new": result.new,
            "changed": result.changed,
            "unchanged": result.unchanged,
            "late": result.late,
            "events": result.events,
        }
        dump_json(printed)
        return
    stored = f"{text(result.stored)} of {text(result.chosen)}"
    told = {name: getattr(result, name) for name in ("new", "changed", "unchanged", "late")}
    print_rows(
        [
            ("stored", stored),
            ("auctions", ", ".join(f"{name} {text(count)}" for name, count in told.items())),
            ("events", text(result.events)),
            *(
                ("refused again", f"{reason} {text(count)}")
                for reason, count in result.refused.most_common()
            ),
            *(
                ("cannot be read", f"{text(count)}: {why}; `m26 rejects drop` gives them up")
                for why, count in result.unreadable.most_common()
            ),
            *([("settled before", text(result.settled_before))] if result.settled_before else []),
        ]
    )
