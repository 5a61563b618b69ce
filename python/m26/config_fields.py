"""What kinds of value settings have: text or a number as given in, checked and of its type out."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field

_MAX_PORT = 65535
_LARGEST = 2**63 - 1
_UNITS = {"": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 10**3, "mb": 10**6, "gb": 10**9}


def _bytes(value: object) -> object:
    """``2GiB`` and ``500 MB`` as a number of bytes."""
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", str(value).strip().lower())
    if match is None or match[2] not in _UNITS:
        raise ValueError("write bytes, or a whole number with KiB, MiB, GiB, kB, MB or GB")
    return int(match[1]) * _UNITS[match[2]]


def _number(value: object) -> object:
    """TOML's ``true`` is no number, though Python counts with it."""
    if isinstance(value, bool):
        raise ValueError("write a whole number")  # noqa: TRY004 - pydantic wants this class
    return value


Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0, le=_LARGEST)]
Count = Annotated[int, BeforeValidator(_number), Field(gt=0, le=_LARGEST)]
Port = Annotated[int, BeforeValidator(_number), Field(ge=0, le=_MAX_PORT)]
