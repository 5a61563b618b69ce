"""SVG of horizontal bars, of a race or in pairs: labels and values in, a picture out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

_WIDTH, _ROW, _BAR, _TOP, _PAD = 760, 28, 16, 44, 16
_CHAR = 6.7
"""Width of a character at most, for 12 px of a sans-serif font."""
# A browser's own preference decides, also where the picture is shown on somebody else's page; the
# ground is drawn too, so that the text stands out wherever that is.
STYLE = """
  .ground { fill: #ffffff; stroke: #d0d7de }
  text { fill: #1f2328; font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif }
  .title { font-size: 14px; font-weight: 600 }
  .peer { fill: #8c959f }
  .ours { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #30363d }
    text { fill: #e6edf3 }
    .peer { fill: #6e7681 }
    .ours { fill: #4493f8 }
  }"""


def render(title: str, rates: Mapping[str, float], *, ours: str) -> str:
    """The picture.

    Args:
        title: stands above the bars.
        rates: auctions a second of each contender, in the order of the bars.
        ours: the contenders whose bars stand out are those whose label begins like this.
    """
    height = _TOP + _ROW * len(rates) + _PAD
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}\n</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="title" x="{_PAD}" y="27">{escape(title)}, auctions a second</text>',
        *_bars(rates, ours),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


class Pair(NamedTuple):
    """A row of a picture of pairs; shares of the room there is, 0 to 1."""

    label: str
    ours: float
    peer: float | None
    """Drawn below ours."""
    mark: float | None
    """Drawn across both."""
    value: str


def pairs(title: str, key: str, rows: Sequence[Pair], *, left: int, right: int) -> str:
    """Rows of two bars and a mark.

    Args:
        title: stands above the bars.
        key: says below it what is what.
        rows: in their order.
        left: pixels for the labels.
        right: pixels for the values.
    """
    step, top = 24, 62
    height = top + step * len(rows) + _PAD
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    ground = f'x="0.5" y="0.5" width="{_WIDTH - 1}" height="{height - 1}"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{title}">',
            f"<style>{STYLE}\n  .mark {{ stroke: #bf8700; stroke-width: 2 }}\n</style>",
            f'<rect class="ground" {ground} rx="6"/>',
            f'<text class="title" x="{_PAD}" y="26">{escape(title)}</text>',
            f'<text x="{_PAD}" y="46">{escape(key)}</text>',
            *(
                part
                for number, row in enumerate(rows)
                for part in _pair(row, top + step * number, left, _WIDTH - left - _PAD - right)
            ),
            "</svg>\n",
        )
    )


def _pair(row: Pair, top: int, left: int, room: int) -> Iterator[str]:
    label = escape(row.label)
    yield f'<text x="{left - 8}" y="{top + 12}" text-anchor="end">{label}</text>'
    for kind, share, at, thick in (("ours", row.ours, 0, 11), ("peer", row.peer, 11, 5)):
        if share is not None:
            width = max(1.0, room * share)
            place = f'x="{left}" y="{top + at}" width="{width:.0f}" height="{thick}"'
            yield f'<rect class="{kind}" {place} rx="2"/>'
    if row.mark is not None:
        x = left + room * row.mark
        yield f'<line class="mark" x1="{x:.0f}" x2="{x:.0f}" y1="{top - 2}" y2="{top + 18}"/>'
    yield f'<text x="{left + room + 8}" y="{top + 12}">{row.value}</text>'


def _bars(rates: Mapping[str, float], ours: str) -> Iterator[str]:
    margin = _PAD + 8 + _CHAR * max(map(len, rates))
    room = _WIDTH - margin - _PAD - 8 - _CHAR * max(len(f"{rate:,.0f}") for rate in rates.values())
    for row, (label, rate) in enumerate(rates.items()):
        top = _TOP + _ROW * row
        width = max(1, room * rate / max(rates.values()))
        side = "ours" if label.startswith(ours) else "peer"
        middle = top + _BAR - 4
        yield f'<text x="{margin - 8:.0f}" y="{middle}" text-anchor="end">{escape(label)}</text>'
        yield (
            f'<rect class="{side}" x="{margin:.0f}" y="{top}" width="{width:.0f}"'
            f' height="{_BAR}" rx="2"/>'
        )
        yield f'<text x="{margin + width + 8:.0f}" y="{middle}">{rate:,.0f}</text>'
