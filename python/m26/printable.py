"""Text of any origin in; text that no terminal acts on out, and JSON that means the same."""

from __future__ import annotations

import json


def printable(text: str, *, keep: str = "\n\t") -> str:
    """`text` with escapes in place of what is not printable.

    That is all of C0 and C1, what turns the direction of text, what has no width, and half of a
    surrogate pair.

    Args:
        text: any.
        keep: characters that stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )


def printable_json(document: str) -> str:
    """A JSON text that means the same: in it, only strings have what is not printable."""
    if document.isprintable():
        return document
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in document)
