"""What commands print with ``--json``, as types: one a document, named in its docstring.

`dump_json` prints them, with ``schema_version`` before their members. ``run`` prints `StatusView`,
``tail`` `EventView` as it is, ``doctor`` `DoctorView`, ``replay`` `ReplayView`. Commands import
this for type checking alone: it loads more than they need.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from m26.models import Time
from m26.status.views import StatusView


class ErrorView(TypedDict):
    """In place of any document: what and why, then what to do."""

    code: str
    message: str
    hint: str


class FailureView(TypedDict):
    """The document of a command that failed."""

    error: ErrorView


class StopView(TypedDict):
    """Why no request leaves until the operator has acted."""

    reason: str
    message: str
    advice: str
    since: Time
    account: str
    scope: str


class HomeView(TypedDict):
    """``m26 status``."""

    running: bool
    healthy: bool
    problem: str
    stop: StopView | None
    stops: list[StopView]
    snapshot: StatusView | None


class ResumeView(TypedDict):
    """``m26 resume``."""

    cleared: StopView | None
    all_cleared: list[StopView]
    running: bool


class PlanView(TypedDict):
    """``m26 run --dry-run``."""

    profile: str
    upstream: list[str]
    warnings: list[str]
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


class NormalizeView(TypedDict):
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


class AddressView(TypedDict):
    """The address that a login begins at."""

    url: str


class SimulatorView(AddressView):
    """``m26 sim``: where it is served, and where its world is kept."""

    folder: str


class SettingView(TypedDict):
    """One setting; a secret as ``***``."""

    key: str
    environment: str
    value: str | int | bool | None
    origin: str


class SettingsView(TypedDict):
    """``m26 config show``."""

    items: list[SettingView]


class _Reject(TypedDict):
    id: int
    part: str
    pos: int
    item: int | None
    byte_from: int
    byte_to: int
    reason: str
    detail: str


class RejectLineView(_Reject):
    """One quarantined item, without its bytes."""

    state: str
    created_at: datetime
    bytes: int


class RejectView(_Reject):
    """``m26 rejects show``; `origin` is what it keeps of its page, null where there is none."""

    raw: str
    state: str
    created_at: datetime
    origin: dict[str, str | int | None] | None


class RejectsView(TypedDict):
    """``m26 rejects ls``."""

    items: list[RejectLineView]


class RetryView(TypedDict):
    """``m26 rejects retry``: of the `chosen` rejects how many are which, and what they held.

    `refused` again, by the reason that they have now; `unreadable`, by why; `settled_before`:
    retried or dropped earlier, or by someone else meanwhile.
    """

    chosen: int
    stored: int
    refused: dict[str, int]
    unreadable: dict[str, int]
    settled_before: int
    new: int
    changed: int
    unchanged: int
    late: int
    events: int


class DropView(TypedDict):
    """``m26 rejects drop``."""

    dropped: int


class DamageView(TypedDict):
    """A damaged place of a journal: records that are gone, from the first to the last."""

    journal: str
    first: int
    last: int
    why: str
    found_at: Time


class JournalAckView(TypedDict):
    """``m26 journal ack``."""

    acknowledged: list[DamageView]
    running: bool


class JournalNewIdView(TypedDict):
    """``m26 journal new-id``."""

    journal: str
    before: str
    begins_at: int
    """Position of the first record that is stored under the new id."""
    offered_again: int


class EmbeddedServerView(TypedDict):
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


class EmbeddedView(TypedDict):
    """``m26 embedded status``."""

    items: list[EmbeddedServerView]


class StoppedServerView(TypedDict):
    """One server, and the process that was stopped if it ran."""

    name: str
    pid: int | None


class EmbeddedStopView(TypedDict):
    """``m26 embedded stop``."""

    items: list[StoppedServerView]


class EmbeddedAddressView(TypedDict):
    """``m26 embedded start`` and ``m26 embedded dsn``."""

    postgres: str
    redis: str
