"""What rich lays out in; the same, in which no text has escapes of its own, out."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from m26.printable import printable


class PrintableConsole(Console):
    """Writes rich's own escapes alone: those of a text are shown, not acted on."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Lay out `renderable`."""
        for segment in super().render(renderable, options):
            if segment.control is None:
                yield segment._replace(text=printable(segment.text))
            else:
                yield segment
