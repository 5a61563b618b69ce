"""What kinds of value settings have: text or a number as given in, checked and of its type out."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

_MAX_PORT = 65535
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


def address(*schemes: str) -> AfterValidator:
    """A URL of one of `schemes` with well-formed hosts and ports; several hosts may be given."""

    def check(secret: SecretStr) -> SecretStr:
        scheme, separator, rest = secret.get_secret_value().partition("://")
        if not separator or scheme not in schemes:
            raise ValueError(f"it begins with {' or '.join(f'{s}://' for s in schemes)}")
        hosts = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
        for host in hosts.split(","):
            match = re.fullmatch(r"(?:\[[^\]]*\]|[^:\[\]\s]*)(?::(\d{0,5}))?", host)
            if match is None or int(match[1] or 1) > _MAX_PORT:
                raise ValueError("its host and port are not of the form host:port")
        return secret

    return AfterValidator(check)


Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]
Count = Annotated[int, BeforeValidator(_number), Field(gt=0, lt=2**63)]
Port = Annotated[int, BeforeValidator(_number), Field(ge=0, le=_MAX_PORT)]
