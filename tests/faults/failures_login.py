"""Rows of the failure table: what tokens and logins come to."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.rows import Next, Row, retried, soon

LOGIN: Sequence[Row] = (
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
