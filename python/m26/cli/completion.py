"""``m26 --install-completion``: commands, options and card names at the touch of TAB."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from m26.cli.output import say


def install(
    *,
    shell: Literal["bash", "zsh", "fish"] | None = None,
    output: Path | None = None,
    startup: bool = True,
) -> int:
    """Teach the shell to complete what m26 takes: commands, options, and the names of cards.

    Names are looked up in the database of the home while its server runs.

    Example: ``m26 --install-completion``

    Args:
        shell: which one; default: the one that runs.
        output: where the script goes; default: where the shell looks for such.
        startup: let the shell's own startup file load it.
    """
    from m26.cli import build

    path = build().install_completion(shell=shell, output=output, add_to_startup=startup)
    say(f"{path}\nStart a new shell, or read it in this one: source {path}\n")
    return 0
