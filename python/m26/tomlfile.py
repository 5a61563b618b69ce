"""A TOML file that the operator wrote in, a document out: bounded in size, length and depth."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from m26.errors import ConfigError
from m26.safefile import read_limited, refuse_others

MAX_BYTES: Final = 64 * 1024
_LONGEST_LINE = 8 * 1024
"""Characters: the parser's time grows with the square of the parts of a dotted key."""
_CORRECT = "Correct the file, or move it away."


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """The document of a TOML file that nobody else may write, and its text.

    Raises:
        FileNotFoundError: there is none.
        ConfigError: others own it or may write it, it cannot be read, is too large or no TOML;
            the message says where and never quotes a value.
    """
    refuse_others(path)
    try:
        data = read_limited(path, MAX_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", hint=_CORRECT) from None
    return parse_toml(path, data)


def parse_toml(where: object, data: bytes) -> tuple[dict[str, Any], str]:
    """The document that bytes are, and its text. Errors as in `read_toml`."""
    if len(data) > MAX_BYTES:
        raise _cannot(where, f"it is larger than {MAX_BYTES // 1024} KiB")
    try:
        text = data.decode("utf-8-sig")
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            if len(line) > _LONGEST_LINE:
                raise _cannot(f"{where}:{number}", f"a line over {_LONGEST_LINE} characters")
        return tomllib.loads(text), text
    except RecursionError:
        deepest = max(range(len(lines)), key=lambda n: lines[n].count("[") + lines[n].count("{"))
        raise _cannot(f"{where}:{deepest + 1}", "its brackets nest too deep") from None
    except ValueError as error:
        raise _cannot(where, str(error)) from None


def _cannot(where: object, why: str) -> ConfigError:
    return ConfigError(f"cannot read {where}: {why}", hint=_CORRECT)
