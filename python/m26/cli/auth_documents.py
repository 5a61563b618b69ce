"""What ``m26 auth …`` prints with ``--json``, as types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from m26.auth.intake import Fact, Missing
from m26.auth.rebuild import Rebuilt
from m26.auth.report import Health


class LoginView(TypedDict):
    """``m26 auth login``."""

    account: Health
    stopped: list[str]


FoundView = TypedDict(
    "FoundView",
    {
        "requests": int,
        "platform": str | None,
        "access token": bool,
        "refresh token": bool,
        "client id": bool,
        "client secret": bool,
        "device id": bool,
        "session": bool,
        "bundles": int,
    },
)
"""What a capture holds."""


class CaptureView(TypedDict):
    """One capture, and what of it is in the vault now."""

    file: str
    found: FoundView
    facts: Sequence[Fact]
    missing: Sequence[Missing]
    problems: Sequence[str]


class ImportView(TypedDict):
    """``m26 auth import``."""

    captures: list[CaptureView]
    account: Health
    stopped: list[str]


class AccountsView(TypedDict):
    """``m26 auth status``."""

    items: list[Health]
    captures: list[str]
    """Files of the home's folder that still hold a login in the clear."""


class AddonView(TypedDict):
    """``m26 auth addon``."""

    path: str
    folder: str
    command: str


class RebuildView(TypedDict):
    """``m26 auth rebuild``."""

    accounts: Sequence[Rebuilt]
    problems: Sequence[str]
    stopped: list[str]


class ForgetView(TypedDict):
    """``m26 auth forget``."""

    accounts: Sequence[str]
    bundles: list[str]


class RekeyView(TypedDict):
    """``m26 auth rekey``."""

    key: str
    steps: list[str]


class NewKeyView(TypedDict):
    """``m26 auth rekey --print-key``."""

    new_key: str
