"""``m26 journal``: what a home has on disk of its replies, and what of it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from m26.cli.options import Options
from m26.cli.output import dump_json, print_rows
from m26.clock import iso
from m26.errors import StorageError
from m26.home.runfile import read_run

if TYPE_CHECKING:
    from m26.cli.documents import JournalAckView


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
            hint="Check the disk's free space and the permissions of this folder.",
        ) from None
    if options.json:
        printed: JournalAckView = {
            "schema_version": 1,
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
