"""Rows of the failure table: how a transfer breaks, and what a status says."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.rows import TRANSIENT, Next, Row, paused, retried, soon, status

_TRANSPORT = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0)
_MAINTENANCE = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0)

TRANSFER: Sequence[Row] = (
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
        then=[*retried(*TRANSIENT), *paused(60)],
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
)

STATUS: Sequence[Row] = (
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
)
"""Of the edge and of the gateway."""
