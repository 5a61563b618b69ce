"""What commands print with ``--json``, as types: one a document, named in its docstring.

``run`` prints `StatusView`, ``tail`` `Event`, ``replay`` a list of `Replayed`, ``auth status`` a
list of `Health`. Commands import this for type checking alone: it loads more than they need.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypedDict

from m26.auth.intake import Fact, Missing
from m26.auth.rebuild import Rebuilt
from m26.auth.report import Health
from m26.cli.checks import Check
from m26.models import Time
from m26.status.views import StatusView


class Error(TypedDict):
    """In place of any document: what and why, then what to do."""

    code: str
    message: str
    hint: str


class Failed(TypedDict):
    """The document of a command that failed."""

    error: Error


class StopView(TypedDict):
    """Why no request leaves until the operator has acted."""

    reason: str
    message: str
    advice: str
    since: Time
    account: str
    scope: str


class Asked(TypedDict):
    """``m26 status``."""

    schema_version: Literal[1]
    running: bool
    healthy: bool
    problem: str
    stop: StopView | None
    stops: list[StopView]
    snapshot: StatusView | None


class Resumed(TypedDict):
    """``m26 resume``."""

    cleared: StopView | None
    all_cleared: list[StopView]
    running: bool


class Plan(TypedDict):
    """``m26 run --dry-run``."""

    profile: str
    accounts: list[str]
    query: str
    paging: str
    requests_per_day: int
    requests_per_minute: int
    seconds_between_requests: float
    postgres: str
    redis: str
    migrations: list[str]
    home: str
    dashboard: str
    stopped: list[str]


class Examined(TypedDict):
    """``m26 doctor``."""

    schema_version: Literal[1]
    checks: list[Check]


class Normalized(TypedDict):
    """``m26 normalize``."""

    pages: int
    rows: int
    cards: int
    empty_pages: int
    refused_pages: int
    other_replies: int
    rejects: dict[str, int]
    rejects_file: str | None
    drift: dict[str, int]
    problems: list[str]
    seconds: float
    rows_per_second: int


class Address(TypedDict):
    """The address that a login begins at."""

    url: str


class Simulator(Address):
    """``m26 sim``: where it is served, and where its world is kept."""

    folder: str


class LoggedIn(TypedDict):
    """``m26 auth login``."""

    account: Health
    stopped: list[str]


Found = TypedDict(
    "Found",
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


class Capture(TypedDict):
    """One capture, and what of it is in the vault now."""

    file: str
    found: Found
    facts: Sequence[Fact]
    missing: Sequence[Missing]
    problems: Sequence[str]


class Imported(TypedDict):
    """``m26 auth import``."""

    captures: list[Capture]
    account: Health
    stopped: list[str]


class Addon(TypedDict):
    """``m26 auth addon``."""

    path: str
    folder: str
    command: str


class Cared(TypedDict):
    """``m26 auth rebuild``."""

    accounts: Sequence[Rebuilt]
    problems: Sequence[str]
    stopped: list[str]


class Forgotten(TypedDict):
    """``m26 auth forget``."""

    accounts: Sequence[str]
    bundles: list[str]


class Rekeyed(TypedDict):
    """``m26 auth rekey``."""

    key: str
    steps: list[str]


class NewKey(TypedDict):
    """``m26 auth rekey --print-key``."""

    new_key: str


class Setting(TypedDict):
    """One setting; a secret as ``***``."""

    key: str
    environment: str
    value: str | int | None
    origin: str


class _Reject(TypedDict):
    id: int
    part: str
    pos: int
    item: int | None
    byte_from: int
    byte_to: int
    reason: str
    detail: str


class RejectLine(_Reject):
    """One quarantined item, without its bytes."""

    state: str
    created_at: datetime
    bytes: int


class Reject(_Reject):
    """``m26 rejects show``."""

    raw: str
    state: str
    created_at: datetime


class Listed(TypedDict):
    """``m26 rejects ls``."""

    items: list[RejectLine]


class Migration(TypedDict):
    """One shipped migration; it is pending where it was not applied."""

    name: str
    checksum: str
    applied_at: datetime | None


class TableSize(TypedDict):
    """One table; its rows are an estimate."""

    table: str
    rows: int
    bytes: int


class Migrated(TypedDict):
    """``m26 db migrate``."""

    applied: list[str]


class Database(TypedDict):
    """``m26 db status``."""

    migrations: list[Migration]
    tables: list[TableSize]


class EmbeddedServer(TypedDict):
    """A PostgreSQL or Valkey that m26 starts itself."""

    name: str
    running: bool
    pid: int | None
    owner_pid: int | None
    version: str | None
    program: str | None
    folder: str
    socket_folder: str | None
    log: str
    data_bytes: int | None


class EmbeddedStopped(TypedDict):
    """One server, and the process that was stopped if it ran."""

    name: str
    pid: int | None


class EmbeddedUrls(TypedDict):
    """``m26 embedded start``."""

    postgres: str
    redis: str
