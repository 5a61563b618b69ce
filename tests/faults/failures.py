"""The failure table as a test reads it: what is provoked, and what has to follow and when.

Written from the protocol's text, not from the product's rules: seconds are spelled out here again.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.failures_body import BLAZE, NO_SUCCESS
from tests.faults.failures_http import STATUS, TRANSFER
from tests.faults.failures_login import LOGIN
from tests.faults.rows import Fault, Row

ROWS: Sequence[Row] = (*TRANSFER, *STATUS, *BLAZE, *NO_SUCCESS, *LOGIN)

LOOK_ALIKES: Sequence[tuple[str, Fault]] = (
    *(
        (f"captcha-{value!r}", {"fault": "captcha", "member": "captchaGuid", "value": value})
        for value in (None, "", 0, "0", False)
    ),
    ("captcha-absent", {"fault": "captcha", "member": "captchaGuid", "absent": True}),
    ("ui_warning", {"fault": "ui_warning"}),
    ("control_bytes", {"fault": "control_bytes"}),
    ("bom", {"fault": "bom"}),
    ("new_member", {"fault": "new_member"}),
    ("odd_members", {"fault": "odd_members"}),
    ("empty_page", {"fault": "empty_page"}),
    ("truncated", {"fault": "truncated"}),
    ("page_repeated", {"fault": "page_repeated"}),
    ("page_shifted", {"fault": "page_shifted", "by": 3}),
    ("vanish", {"fault": "vanish"}),
)
"""What is no failure: the run goes on, and what was served is stored."""
