"""``m26 journal``: what a home has on disk of its replies, and what of it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from m26.cli.options import Options
from m26.cli.output import dump_json, print_rows
from m26.clock import iso
from m26.errors import StorageError, remedy
from m26.home.runfile import read_run

if TYPE_CHECKING:
    from m26.cli.documents import JournalAckView, JournalNewIdView


def ack(*, options: Options = Options()) -> int:
    """Show which records of the journal are damaged or gone, and tell them no more.

    A running m26 takes note within a second. Nothing is mended by it, and nothing deleted.

    Example: ``m26 journal ack``

    Args:
        options: options of every command.
    """
    from m26.journal.damage import Ledger

    home = options.load(logs=False).settings.home
    ledger = Ledger(home / "journal")
    try:
        shown = ledger.acknowledge()
    except OSError as error:
        raise StorageError(
            f"cannot write down in {home / 'journal'} what you know: {error.strerror}",
            hint=remedy(str(error)),
        ) from None
    if options.json:
        printed: JournalAckView = {
            "acknowledged": [
                {
                    "journal": each.journal,
                    "first": each.first,
                    "last": each.last,
                    "why": each.why,
                    "found_at": iso(each.found_at),
                }
                for each in shown
            ],
            "running": read_run(home) is not None,
        }
        dump_json(printed)
    elif not shown:
        print_rows([("damage", f"none to acknowledge in {home / 'journal'}")])
    else:
        print_rows([("acknowledged", f"{each} (found {iso(each.found_at)})") for each in shown])
    return 0


async def new_id(*, options: Options = Options()) -> int:
    """Give this home's journal a name of its own in the database, after the home was copied.

    Its place there begins behind the last record that is proved to be stored; what came later is
    stored under the new name by the next run. It waits for no run: stop m26 first.

    Example: ``m26 journal new-id``

    Args:
        options: options of every command.
    """
    from m26.app.new_id import new_id as give

    given = await give(options.load())
    if options.json:
        printed: JournalNewIdView = {
            "journal": given.new,
            "before": given.old,
            "begins_at": given.pos,
            "offered_again": given.offered,
        }
        dump_json(printed)
    else:
        rows = [
            ("journal", f"{given.new}, before {given.old}"),
            ("begins at", f"record {given.pos}: what is before it is stored"),
            ("offered again", f"{given.offered} records, by the next m26 run"),
        ]
        print_rows(rows)
    return 0
