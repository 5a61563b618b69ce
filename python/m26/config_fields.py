"""What kinds of value settings have: text or a number as given in, checked and of its type out."""

from __future__ import annotations

import json
import re
from typing import Annotated

from pydantic import BeforeValidator, Field

_MAX_PORT = 65535
_LARGEST = 2**63 - 1
_FOCUS = {"cards": r"\d{1,19}", "overall": r"\d{1,3}(-\d{1,3})?", "position": ".+", "program": ".+"}
"""What weights are for, and how each is named."""
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


def _focus(value: object) -> object:
    """A table of weights; in the environment it is JSON text."""
    given = json.loads(value) if isinstance(value, str) else value
    if not isinstance(given, dict) or not all(isinstance(of, dict) for of in given.values()):
        raise ValueError('write tables of weights, such as {"position": {"QB": 3}}')
    for kind, weights in given.items():
        if kind not in _FOCUS:
            raise ValueError(f"{kind!r} is none of {', '.join(_FOCUS)}")
        for name in weights:
            low, _, high = name.partition("-") if kind == "overall" else ("", "", "")
            if not re.fullmatch(_FOCUS[kind], name) or (high and int(low) > int(high)):
                raise ValueError(f"{name!r} is none of {kind}")
    return given


Focus = Annotated[
    dict[str, dict[str, Annotated[float, Field(gt=0, le=100)]]], BeforeValidator(_focus)
]
"""Weights by kind and name; what is named nowhere weighs 1."""
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0, le=_LARGEST)]
Count = Annotated[int, BeforeValidator(_number), Field(gt=0, le=_LARGEST)]
Port = Annotated[int, BeforeValidator(_number), Field(ge=0, le=_MAX_PORT)]
