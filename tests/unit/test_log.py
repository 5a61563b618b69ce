from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import structlog

from m26 import log, redaction
from m26.redaction import MASK, redact, register_secret

JWT = "eyJhbGciOiJDQU5BUlkifQ.eyJzdWIiOiJDQU5BUlkifQ.CANARYsignature"


@pytest.fixture(autouse=True)
def _undo_logging() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:], _ = before
    root.setLevel(before[1])
    structlog.reset_defaults()
    redaction._known.clear()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """Configure JSON lines; calling it gives those written so far."""
    log.configure(level="debug", fmt="json")

    def read() -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in capsys.readouterr().err.splitlines()]

    return read


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"token {JWT} refused", f"token {MASK} refused"),
        (f"half a JWT {JWT.rpartition('.')[0]}", f"half a JWT {MASK}"),
        ("postgresql://u:CANARY@db:5432/m", f"postgresql://{MASK}@db:5432/m"),
        ("postgresql://u:p@CANARY@db/m", f"postgresql://{MASK}@db/m"),
        ("postgresql://u:p/CANARY@db/m", f"postgresql://{MASK}@db/m"),
        ("redis://:CANARY@h:6379/0 is away", f"redis://{MASK}@h:6379/0 is away"),
        ("postgresql:///m?user=u&password=CANARY", f"postgresql:///m?user=u&password={MASK}"),
        ("host=h password='CAN ARY' port=1", f"host=h password={MASK} port=1"),
        ("host=h password=CANARY port=1", f"host=h password={MASK} port=1"),
        ("POST /wal/mca/Process/CAN%2FARY%3D?x=1", f"POST /wal/mca/Process/{MASK}?x=1"),
        ("POST /wal/mca/Process/CAN/ARY=+$* 200", f"POST /wal/mca/Process/{MASK} 200"),
        ("Authorization: Bearer CANARY-x", f"Authorization: Bearer {MASK}"),
        (
            "grant_type=refresh_token&refresh_token=CANARY&client_secret=CANARY&x=1",
            f"grant_type=refresh_token&refresh_token={MASK}&client_secret={MASK}&x=1",
        ),
        ('{"access_token":"CANARY", "n":1}', f'{{"access_token":{MASK}, "n":1}}'),
        ("{'sessionKey': 'CANARY', 'n': 1}", f"{{'sessionKey': {MASK}, 'n': 1}}"),
        (
            '{"messageAuthData":{"authCode":"CANARY"}}',
            f'{{"messageAuthData":{{"authCode":{MASK}}}}}',
        ),
        ("M26_WEB__TOKEN=CANARY m26 run", f"M26_WEB__TOKEN={MASK} m26 run"),
    ],
)
def test_what_has_the_form_of_a_secret_is_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the refresh token is dead: log in again",
        "http://127.0.0.1:8026/api/v1/status",
        "postgresql:///m26?host=/run/m26&port=5432&user=m26",
        "the token: none is set; passwords are fine",
        "unix:///run/valkey.sock",
        "errorname=ERR_TIMEOUT code=5",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_known_secret_inside_of_another_leaves_nothing_of_it() -> None:
    token = "eyJhbGciOiJDQU5B-OTHER.eyJzdWIiOiJDQU5BUlkifQ.CANARY-rest"
    register_secret(token[:40])
    assert redact(f"token {token} refused") == f"token {MASK} refused"
    assert redact(token) == MASK


def test_a_registered_secret_is_masked_wherever_it_is_and_url_encoded_too() -> None:
    register_secret("CANARY/+=x")
    assert redact("a CANARY/+=x b CANARY%2F%2B%3Dx") == f"a {MASK} b {MASK}"


def test_a_secret_that_begins_like_another_leaves_no_rest() -> None:
    register_secret("CANARY")
    register_secret("CANARY-AND-MORE")
    assert redact("x CANARY-AND-MORE") == f"x {MASK}"


def test_a_short_word_is_not_registered() -> None:
    register_secret("ps5")
    assert redact("ps5") == "ps5"


def test_values_under_a_secret_s_name_are_masked_at_any_depth(lines: Any) -> None:
    register_secret("CANARY-known")
    structlog.get_logger().info(
        "auth.saved",
        access_token="CANARY",
        sessionKey="CANARY",
        dsn={"host": "CANARY"},
        deep={"list": [{"client_secret": "CANARY", "n": 1}], "text": "CANARY-known"},
        group={"CANARY-known"},
        cookies=["CANARY"],
        **{"device-id": "CANARY"},
    )
    (line,) = lines()
    assert "CANARY" not in str(line)
    assert line["deep"] == {"list": [{"client_secret": MASK, "n": 1}], "text": MASK}


def test_numbers_and_flags_about_secrets_stay(lines: Any) -> None:
    structlog.get_logger().info("x", token_seconds_left=12.5, has_token=True, ticket=None)
    (line,) = lines()
    assert (line["token_seconds_left"], line["has_token"], line["ticket"]) == (12.5, True, None)


def test_odd_values_do_not_lose_the_line(lines: Any) -> None:
    structlog.get_logger().info("x", a="\ud800", b=2**70, c={1: 2}, d=b"\xff", e=object, f={"s"})
    (line,) = lines()
    assert (line["a"], line["b"], line["c"]) == ("\\ud800", str(2**70), {"1": 2})


def _fail() -> None:
    try:
        int(JWT)
    except ValueError as error:
        raise RuntimeError("dsn postgresql://u:CANARY@h/d") from error


@pytest.mark.parametrize("logger", ["structlog", "stdlib"])
@pytest.mark.parametrize("debug", [False, True])
def test_exceptions_are_short_without_debug_and_never_hold_a_secret(
    capsys: pytest.CaptureFixture[str], logger: str, debug: bool
) -> None:
    log.configure(fmt="json", debug=debug)
    writer = structlog.get_logger() if logger == "structlog" else logging.getLogger("library")
    try:
        _fail()
    except RuntimeError:
        writer.exception("it.failed")
    text = capsys.readouterr().err
    line = orjson.loads(text)
    assert line["event"] == "it.failed"
    assert "CANARY" not in text
    assert "eyJ" not in text
    if debug:
        assert "Traceback" in line["exception"]
        assert "ValueError" in line["exception"]
    else:
        assert line["error"] == f"RuntimeError: dsn postgresql://{MASK}@h/d"
        assert "Traceback" not in text


def test_an_exception_handed_over_outside_its_handler_is_named(lines: Any) -> None:
    structlog.get_logger().error("x", exc_info=ValueError("late"))
    logging.getLogger("library").error("y", exc_info=KeyError("k"))
    first, second = lines()
    assert (first["error"], second["error"]) == ("ValueError: late", "KeyError: 'k'")


def test_lines_of_libraries_are_redacted_and_have_the_same_form(lines: Any) -> None:
    logging.getLogger("library").info("got %s", "postgresql://u:CANARY@h/d")
    (line,) = lines()
    assert line["event"] == f"got postgresql://{MASK}@h/d"
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_httpx_which_logs_urls_is_heard_from_warning_on(lines: Any) -> None:
    logging.getLogger("httpx").info("POST https://x/wal/mca/Process/CANARY")
    logging.getLogger("uvicorn.access").info("GET /")
    assert lines() == []


def test_a_line_that_cannot_be_formatted_shows_no_argument(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.configure(fmt="json")
    logging.getLogger("library").warning("%d", "CANARY")
    text = capsys.readouterr().err
    assert "was lost" in text
    assert "CANARY" not in text


def test_warnings_become_lines(lines: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("password=CANARY is deprecated", stacklevel=1)
    (line,) = lines()
    assert line["level"] == "warning"
    assert "CANARY" not in line["event"]


def test_the_level_holds_for_both_kinds_of_loggers(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(level="warning", fmt="json")
    structlog.get_logger().info("no")
    logging.getLogger("library").info("no")
    structlog.get_logger().warning("yes")
    assert [orjson.loads(x)["event"] for x in capsys.readouterr().err.splitlines()] == ["yes"]


def test_console_lines_have_no_colour_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(fmt="console")
    structlog.get_logger().info("hello", password="CANARY", name="x")
    text = capsys.readouterr().err
    assert "hello" in text
    assert "name=x" in text
    assert "CANARY" not in text
    assert "\x1b" not in text
