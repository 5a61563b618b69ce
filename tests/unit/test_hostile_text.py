"""Words of others: cut where they are read, shown with their escapes, and followed by nobody."""

from __future__ import annotations

import ast
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
import structlog
from tests.support.commands import Outcome

from m26 import log
from m26._native import peek as native_peek
from m26.cli import output
from m26.upstream.answers import Facts, facts, read_tokens
from m26.upstream.replies import Head, Reply, classify
from m26.upstream.rules import RULES
from m26.upstream.verdicts import Verdict

ODD = "\x1b]0;title\x07 \x1b[2J \x9b2J \u202egnp.exe \u2066 \x7f \u200b \r"
"""Escapes of C0 and C1, and what turns the direction of text."""
ESCAPES = {"\x1b", "\x07", "\x9b", "\u202e", "\u2066", "\x7f", "\u200b", "\r"}
PRODUCT = Path(output.__file__).parents[1]


@pytest.fixture(autouse=True)
def _undo_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_captcha_names_nothing_that_its_page_says() -> None:
    for address in ("https://theirs.invalid/CANARY", "javascript:CANARY", None):
        seen = Facts(kind="search", captcha="captchaText=log in at CANARY", captcha_url=address)
        judged = classify(Head(200, 0), seen)
        assert judged.message == RULES["captcha"].message
        assert "in the app" in judged.advice


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ours.invalid/captcha?next=CANARY", ": https://ours.invalid"),
        ("https://CANARY@OURS.invalid:8443/captcha", ": https://ours.invalid"),
        ("http://ours.invalid/captcha", ""),
        ("https://theirs.invalid/ours.invalid", ""),
        ("https://ours.invalid.theirs.invalid/", ""),
        ("https://ours.invalid@theirs.invalid/", ""),
        ("https://ours.invalid\\@theirs.invalid/", ""),
        ("javascript:alert('ours.invalid')", ""),
        ("javascript://ours.invalid/%0aalert()", ""),
        ("https://[", ""),
        ("\x1b]8;;https://ours.invalid\x07", ""),
        (None, ""),
    ],
)
@pytest.mark.parametrize("status", [200, 458])
def test_of_a_captcha_the_host_is_shown_where_it_is_the_profile_s_and_nothing_else(
    url: str | None, shown: str, status: int
) -> None:
    seen = Facts(
        kind="search",
        captcha="captchaPrivacyMsg=log in at CANARY",
        captcha_url=url,
        error_text="CANARY",
        count=5,
    )
    judged = classify(Head(status, 0), seen, hosts={"ours.invalid"})
    assert judged.message == RULES["captcha"].message + shown
    assert "in the app" in judged.advice
    assert classify(Head(status, 0), seen).message == RULES["captcha"].message


def test_a_captcha_that_a_body_claims_shows_nothing_of_its_words() -> None:
    judged = classify(Head(200, 0), Facts(kind="json", error_code=458, error_text="CANARY"))
    assert (judged.reason, judged.message) == ("captcha", RULES["captcha"].message)


def test_an_endless_error_is_cut_where_it_is_read() -> None:
    words = '"' + "token" * 28_000
    error = {"error": {"errorname": "ERR_NEW", "errortdf": {"errorString": words}}}
    assert len(native_peek(orjson.dumps(error)).error_text or "") == 1_000
    assert len(facts(orjson.dumps(error)).error_text or "") == 1_000
    named = orjson.dumps({"error": {"errorname": words}, "captchaUrl": words})
    assert len(native_peek(named).error_name or "") == len(facts(named).error_name or "") == 1_000
    said = orjson.dumps({"error": "x" * 9_000, "error_description": words})
    answer = Reply(status=400, content_type="", body=said, fetched_at=0, seconds=0)
    judged = read_tokens(answer)
    assert isinstance(judged, Verdict)
    assert len(judged.message) < 300


def test_an_error_shows_the_escapes_that_are_in_it(
    m26: Callable[..., Outcome], tmp_path: Path
) -> None:
    for arguments in (
        (f"bogus{ODD}",),
        ("normalize", f"/nothing/{ODD}.har", "-o", str(tmp_path / "rows.csv")),
        ("run", "--for", ODD),
    ):
        for debug in ((), ("--debug",)):
            done = m26(*arguments, *debug)
            assert done.code in {2, 3, 6}
            assert ESCAPES.isdisjoint(done.err + done.out), arguments
            assert "\\x1b" in done.err


def test_json_has_the_same_value_and_no_escape(m26: Callable[..., Outcome]) -> None:
    done = m26(f"bogus{ODD}", "--json")
    assert ESCAPES.isdisjoint(done.out)
    assert f"bogus{ODD}" in done.json["error"]["message"]


@pytest.mark.parametrize("value", [ODD, "\U0001f600 \U000e0041 \ud800", {ODD: [ODD]}])
def test_json_of_any_text_is_exact(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    output.dump_json({"a": value, "b": "gr\u00fcn\n\t"})
    printed = capsys.readouterr().out
    assert printed.rstrip("\n").isprintable()
    assert json.loads(printed) == {"schema_version": 1, "a": value, "b": "gr\u00fcn\n\t"}


def test_a_console_shows_the_escapes_of_a_text_and_keeps_its_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.console().print(f"[bold]one[/]\ntwo {ODD}", soft_wrap=True)
    output.table("", ("name",), [[ODD]])
    output.print_rows([("name", ODD)])
    printed = capsys.readouterr().out
    assert printed.startswith("one\ntwo \\x1b]0;title ")  # rich leaves a bell out
    assert ESCAPES.isdisjoint(printed)


@pytest.mark.parametrize("fmt", ["console", "json"])
@pytest.mark.parametrize("debug", [False, True])
def test_a_log_line_shows_the_escapes_that_are_in_it(
    fmt: str, debug: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(fmt="json" if fmt == "json" else "console", debug=debug)
    event = f"event{ODD}\nspoofed"
    try:
        int(ODD)
    except ValueError:
        structlog.get_logger().exception(event, text=ODD, word="\x1b[2J", deep=[{"a": ODD}])
    printed = capsys.readouterr().err
    assert ESCAPES.isdisjoint(printed)
    if fmt == "json":
        assert orjson.loads(printed)["text"] == ODD
    elif debug:
        assert "\n    int(ODD)\n" in printed
    assert not any(line.startswith("spoofed") for line in printed.splitlines())


def test_bytes_of_a_reject_are_exact_but_on_a_terminal() -> None:
    code = (
        "import asyncio\nfrom m26.cli.rejects import print_one\n"
        "class Store:\n"
        "    async def reject(self, number):\n"
        f"        return {{'raw': {ODD.encode()!r} + bytes([255]), 'origin': None}}\n"
        "asyncio.run(print_one(Store(), 1, raw=True, as_json=False))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout == ODD.encode() + b"\xff"
    ours, theirs = pty.openpty()
    subprocess.run(command, stdout=theirs, check=True, timeout=60)
    os.close(theirs)
    shown = os.read(ours, 4_096).decode()
    os.close(ours)
    assert ESCAPES.isdisjoint(shown)
    assert shown.startswith("\\x1b]0;title")


def test_one_file_writes_to_the_standard_streams() -> None:
    others = {  # they open and close streams; write log lines, data, and a line of mitmproxy's log
        "cli/streams.py", "log.py", "offline/writers.py", "captures/addon.py",
    }  # fmt: skip
    for path in sorted(PRODUCT.rglob("*.py")):
        name = str(path.relative_to(PRODUCT))
        if name == "cli/output.py" or name in others:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            said = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Call) else ""
            wrong = said.startswith(("print(", "sys.stdout.", "sys.stderr."))
            asks = said.removeprefix("sys.stdout.").removeprefix("sys.stderr.").rstrip("()")
            assert not wrong or asks in {"isatty", "flush"}, f"{path}:{node.lineno}: {said}"  # type: ignore[attr-defined]
