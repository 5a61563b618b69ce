"""The failure table as a test reads it: what is provoked, and what has to follow and when.

Written from the protocol's text, not from the product's rules: seconds are spelled out here again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_JITTER = 0.2
_PACE = 2.5
"""Seconds that pacing may add to a wait."""
_DAY = 86_400.0

Fault = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Next:
    """One request that has to follow: its kind, and the seconds since the one before."""

    kind: str
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.kind} after {self.least:g} to {self.most:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table, provoked in one way."""

    reason: str
    faults: Sequence[Fault]
    then: Sequence[Next] = ()
    """What follows the first request that is struck."""
    state: str = ""
    """Told while the run waits; empty where nothing is waited for."""
    stops: int | None = None
    """Exit code of a run that is to end at the STOP; None where there is none."""
    quarantined: int = 0
    """Replies that go into the quarantine."""
    kept_as: str = ""
    """Their reason there, where it is not the row's: what the reader of pages calls it."""
    way: str = ""
    """Tells several ways to one reason apart."""

    @property
    def name(self) -> str:
        """For the test's report."""
        return f"{self.reason}-{self.way}" if self.way else self.reason


def retried(*seconds: float, kind: str = "process") -> list[Next]:
    """The same request again, jittered."""
    return [Next(kind, s * (1 - _JITTER), s * (1 + _JITTER) + _PACE) for s in seconds]


def paused(*seconds: float, kind: str = "process") -> list[Next]:
    """The same request after pauses, which are not jittered."""
    return [Next(kind, s, s + _PACE) for s in seconds]


def soon(*kinds: str) -> list[Next]:
    """Requests at once."""
    return [Next(kind, 0.0, _PACE) for kind in kinds]


def blaze(name: str, **more: Any) -> Fault:
    return {"fault": "error", "name": name, "next": 1, **more}


def status(code: int, **more: Any) -> Fault:
    return {"fault": "status", "status": code, "next": 1, **more}


_TRANSPORT = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0)
_TRANSIENT = (1.0, 2.0, 4.0, 8.0)
_MAINTENANCE = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0)

ROWS: Sequence[Row] = (
    # the transfer
    *(
        Row(
            reason="cut",
            way=name,
            faults=[{"fault": name, "next": 2}],
            then=retried(1, 2),
            state="backing_off",
        )
        for name in ("half_gzip", "short_body")
    ),
    Row(
        reason="cut",
        way="reset",
        faults=[{"fault": "reset", "next": 8}],
        then=retried(*_TRANSPORT),
        state="backing_off",
    ),
    *(
        Row(
            reason="too_slow",
            way=fault["fault"],
            faults=[{**fault, "next": 1}],
            then=retried(1),
            state="backing_off",
        )
        for fault in ({"fault": "drip", "seconds": 30}, {"fault": "black_hole"})
    ),
    Row(
        reason="encoding",
        faults=[{"fault": "encoding", "next": 1}],
        then=retried(1),
        state="backing_off",
    ),
    Row(
        reason="empty_reply",
        faults=[{"fault": "empty", "next": 5}],
        then=[*retried(*_TRANSIENT), *paused(60)],
        state="backing_off",
    ),
    *(
        Row(
            reason="too_large",
            way=name,
            faults=[{"fault": name, "next": 1}],
            then=paused(60),
            state="paused",
            quarantined=1,
        )
        for name in ("too_large", "gzip_bomb")
    ),
    # the edge and the gateway
    Row(
        reason="edge_blocked",
        way="html",
        faults=[{"fault": "html_403", "next": 2}],
        then=paused(900),
        state="paused",
        stops=5,
    ),
    Row(
        reason="edge_blocked",
        way="empty",
        faults=[status(403, form="empty")],
        then=paused(900),
        state="paused",
    ),
    Row(
        reason="token_rejected",
        way="once",
        faults=[{"fault": "unauthorized", "next": 1}],
        then=soon("token", "login", "process"),
    ),
    Row(
        reason="token_rejected",
        way="twice",
        faults=[{"fault": "unauthorized", "next": 2}],
        then=soon("token", "login", "process"),
        stops=4,
    ),
    Row(
        reason="token_rejected",
        way="inside_success",
        faults=[{"fault": "code_in_success", "next": 1}],
        then=soon("token", "login", "process"),
    ),
    Row(
        reason="wrong_product",
        faults=[{"fault": "xml_404", "next": 2}],
        then=paused(3_600, 3_600),
        state="paused",
    ),
    Row(
        reason="rate_limited",
        way="no_header",
        faults=[{"fault": "rate_limit", "next": 7}],
        then=paused(60, 120, 240, 480, 960, 1_800, 1_800),
        state="paused",
    ),
    Row(
        reason="rate_limited",
        way="seconds",
        faults=[{"fault": "rate_limit", "retry_after": 77, "next": 1}],
        then=paused(77),
        state="paused",
    ),
    Row(
        reason="rate_limited",
        way="date",
        faults=[{"fault": "rate_limit", "retry_after": 300, "as_date": True, "next": 1}],
        then=[Next("process", 299, 303)],
        state="paused",
    ),
    *(
        Row(
            reason="soft_ban",
            way=str(code),
            faults=[status(code, form="empty", next=3 if code == 512 else 1)],
            then=paused(1_800, 7_200, 43_200) if code == 512 else paused(1_800),
            state="paused",
        )
        for code in (426, 500, 512, 521)
    ),
    *(
        Row(reason="locked", way=str(code), faults=[status(code)], stops=5)
        for code in (480, 481, 494)
    ),
    *(Row(reason="captcha", way=str(code), faults=[status(code)], stops=5) for code in (458, 459)),
    Row(reason="captcha", way="fields", faults=[{"fault": "captcha", "next": 1}], stops=5),
    *(
        Row(
            reason="captcha",
            way=f"{member}-{value}",
            faults=[{"fault": "captcha", "member": member, "value": value, "next": 1}],
            stops=5,
        )
        for member, value in (
            ("captchaGuid", "x"),
            ("captchaUrl", "https://captcha.invalid/"),
            ("captchaTimeout", 30),
            ("captchaPublicKey", True),
            ("captchaPrivacyMsg", "please"),
            ("captchaBrandNew", "x"),
        )
    ),
    *(
        Row(
            reason="maintenance",
            way=str(code),
            faults=[status(code, next=8 if code == 503 else 1)],
            then=retried(*_MAINTENANCE) if code == 503 else retried(5),
            state="backing_off",
        )
        for code in (502, 503, 504)
    ),
    Row(
        reason="maintenance",
        way="500",
        faults=[status(500, form="json", text="the database is being moved")],
        then=retried(5),
        state="backing_off",
    ),
    # Blaze errors
    *(
        Row(
            reason="transient",
            way=name,
            faults=[blaze(name, next=5 if name == "ERR_TIMEOUT" else 1)],
            then=[*retried(*_TRANSIENT), *paused(60)] if name == "ERR_TIMEOUT" else retried(1),
            state="backing_off",
        )
        for name in ("ERR_TIMEOUT", "ERR_CANCELED", "ERR_DB_SYSTEM", "ERR_DB_TIMEOUT", "ERR_SYSTEM")
    ),
    Row(
        reason="transient",
        way="bare_number",
        faults=[blaze("", number=1_073_807_360, tdf="")],
        then=retried(1),
        state="backing_off",
    ),
    Row(
        reason="login_limited",
        faults=[
            {"fault": "session_kill", "next": 1},
            {"fault": "system", "kind": "login", "next": 5},
        ],
        then=[
            *soon("login"),
            *[Next("login", 15, 18), Next("login", 15, 18)],
            *[Next("login", 560, 600), Next("login", 15, 20)],
            *paused(600, kind="login"),
            *soon("process"),
        ],
        state="backing_off",
    ),
    *(
        Row(
            reason="session_rejected",
            way=name,
            faults=[blaze(name)],
            then=soon("login", "process"),
        )
        for name in ("ERR_AUTHENTICATION_REQUIRED", "ERR_INVALID_SESSION", "ERR_DISCONNECTED")
    ),
    Row(
        reason="session_rejected",
        way="401",
        faults=[{"fault": "session_unauthorized", "next": 1}],
        then=soon("login", "process"),
    ),
    Row(
        reason="session_rejected",
        way="at_once_again",
        faults=[blaze("ERR_AUTHENTICATION_REQUIRED", tdf="errordf", next=2)],
        then=[*soon("login", "process"), *paused(600)],
        state="paused",
    ),
    Row(
        reason="token_expired",
        way="at_login",
        faults=[{"fault": "token_kill", "next": 1}],
        then=[*soon("login", "token"), Next("login", 14, 18), *soon("process")],
    ),
    Row(
        reason="token_expired",
        way="command",
        faults=[blaze("AUTH_ERR_EXPIRED_TOKEN", component=1)],
        then=soon("token", "login", "process"),
    ),
    Row(
        reason="token_expired",
        way="again",
        faults=[blaze("AUTH_ERR_INVALID_TOKEN", next=2)],
        then=soon("token", "login", "process"),
        stops=4,
    ),
    Row(
        reason="signature_rejected",
        way="signed",
        faults=[blaze("ERR_AUTHORIZATION_REQUIRED", next=2)],
        then=retried(1, 2),
        state="backing_off",
        quarantined=2,
    ),
    *(
        Row(
            reason="duplicate_login",
            way=name,
            faults=[blaze(name, next=2)],
            then=paused(900, 900),
            state="paused",
        )
        for name in ("DUPLICATE_LOGIN", "ERR_DUPLICATE_LOGIN", "AUTH_ERR_DUPLICATE_LOGIN")
    ),
    *(
        Row(reason="banned", way=name, faults=[blaze(name)], stops=4)
        for name in (
            "AUTH_ERR_BANNED",
            "PERSONA_BANNED",
            "AUTH_ERR_PERSONA_BANNED",
            "AUTH_ERR_DISABLED",
        )
    ),
    Row(
        reason="banned",
        way="at_login",
        faults=[{"fault": "session_kill", "next": 1}, blaze("AUTH_ERR_BANNED", kind="login")],
        then=soon("login"),
        stops=4,
    ),
    Row(
        reason="unknown_error",
        way="name",
        faults=[blaze("MUT_ERR_BRAND_NEW")],
        then=paused(60),
        state="paused",
        quarantined=1,
    ),
    Row(
        reason="unknown_error",
        way="number",
        faults=[blaze("", number=99, tdf="")],
        then=paused(60),
        state="paused",
        quarantined=1,
    ),
    # success that is none
    Row(
        reason="ui_error",
        way="once",
        faults=[{"fault": "ui_error", "next": 1}],
        then=soon("login", "process"),
    ),
    Row(
        reason="ui_error",
        way="stays",
        faults=[{"fault": "ui_error", "next": 3}],
        then=[*soon("login", "process"), *paused(300, 300)],
        state="paused",
    ),
    Row(reason="stale_market", faults=[{"fault": "stale", "next": 1}], stops=5, quarantined=1),
    *(
        Row(
            reason=reason,
            way=fault if fault != reason else "",
            faults=[{"fault": fault, "next": 1, **more}],
            then=paused(60),
            state="paused",
            quarantined=1,
            kept_as="not_json" if fault.endswith("_200") else "",
        )
        for reason, fault, more in (
            ("not_success", "success_false", {}),
            ("malformed", "malformed", {}),
            ("malformed", "cut_page", {}),
            ("unknown_shape", "unknown_json", {}),
            ("unexpected_html", "html_200", {}),
            ("unexpected_xml", "xml_200", {}),
            ("unexpected_status", "status", {"status": 418}),
        )
    ),
    # tokens and logins
    *(
        Row(
            reason="token_unavailable",
            way=way,
            faults=[{"fault": "unauthorized", "next": 1}, {**fault, "kind": "token", "next": 1}],
            then=[*soon("token"), *retried(5, kind="token"), *soon("login", "process")],
            state="backing_off",
        )
        for way, fault in (
            ("503", {"fault": "unavailable"}),
            ("no_refresh_token", {"fault": "no_refresh_token"}),
            ("no_access_token", {"fault": "no_access_token"}),
            ("malformed", {"fault": "malformed"}),
        )
    ),
    Row(
        reason="login_unreadable",
        faults=[{"fault": "session_kill", "next": 1}, {"fault": "no_session", "next": 1}],
        then=[*soon("login"), Next("login", 15, 18), *soon("process")],
        state="backing_off",
    ),
    *(
        Row(
            reason="login_again",
            way=str(code),
            faults=[
                {"fault": "token_kill", "next": 1},
                {"fault": "invalid_grant", "status": code, "next": 1},
            ],
            then=soon("login", "token"),
            stops=4,
        )
        for code in (400, 200)
    ),
    Row(
        reason="client_rejected",
        faults=[{"fault": "unauthorized", "next": 1}, {"fault": "oauth_error", "next": 1}],
        then=soon("token"),
        stops=4,
    ),
)

LOOK_ALIKES: Sequence[tuple[str, Fault]] = (
    *(
        (f"captcha-{value!r}", {"fault": "captcha", "member": "captchaGuid", "value": value})
        for value in (None, "", 0)
    ),
    ("captcha-absent", {"fault": "captcha", "member": "captchaGuid", "absent": True}),
    ("ui_warning", {"fault": "ui_warning"}),
    ("control_bytes", {"fault": "control_bytes"}),
    ("bom", {"fault": "bom"}),
    ("new_member", {"fault": "new_member"}),
    ("empty_page", {"fault": "empty_page"}),
    ("truncated", {"fault": "truncated"}),
    ("page_repeated", {"fault": "page_repeated"}),
    ("page_shifted", {"fault": "page_shifted", "by": 3}),
    ("vanish", {"fault": "vanish"}),
)
"""What is no failure: the run goes on, and what was served is stored."""
