"""Rows of the failure table: what a body says, Blaze errors and success that is none."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.rows import TRANSIENT, Next, Row, blaze, paused, retried, soon

BLAZE: Sequence[Row] = (
    *(
        Row(
            reason="transient",
            way=name,
            faults=[blaze(name, next=5 if name == "ERR_TIMEOUT" else 1)],
            then=[*retried(*TRANSIENT), *paused(60)] if name == "ERR_TIMEOUT" else retried(1),
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
)

NO_SUCCESS: Sequence[Row] = (
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
)
