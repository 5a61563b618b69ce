from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "doctor",
        "resume",
        "config show",
        "rejects ls",
        "rejects show",
        "rejects retry",
        "rejects drop",
        "journal ls",
        "journal export",
        "journal ack",
        "db migrate",
        "db status",
    ],
)
def test_help_of_a_command_has_an_example_and_json(m26: Command, command: str) -> None:
    result = m26(*command.split(), "--help")
    assert result.code == 0
    assert f"Example: m26 {command}" in result.out
    assert "--json" in result.out


def test_an_unknown_option_is_a_usage_error_with_the_nearest_one(m26: Command) -> None:
    result = m26("status", "--jsn")
    assert result.code == 2
    assert "Did you mean --json?" in result.err
    assert (m26("rejects", "ls", "--limit", "0").code, m26("rejects", "show", "x").code) == (2, 2)


def test_an_error_in_json_has_code_message_and_hint(
    m26: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_WEB__PORT", "CANARY")
    result = m26("status", "--json")
    assert result.code == 3
    assert result.json["error"].keys() == {"code", "message", "hint"}
    assert result.json["error"]["code"] == "config"
    assert "CANARY" not in result.out + result.err
    text = m26("status")
    assert text.code == 3
    assert "M26_WEB__PORT" in text.err.splitlines()[-1]


def test_an_odd_file_name_in_an_error_does_not_break_json(m26: Command) -> None:
    result = m26("status", "--json", "--home", __file__ + "/\udcff")
    assert result.code == 3
    assert "cannot read" in result.out


def test_config_show_masks_secrets_and_names_origins(
    m26: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M26_WEB__TOKEN", "CANARY-token")
    (home / "config.toml").write_text("[web]\nport = 9\n")
    rows = {row["key"]: row for row in m26("config", "show", "--json").json["items"]}
    assert rows["web.token"] == {
        "key": "web.token",
        "environment": "M26_WEB__TOKEN",
        "value": "***",
        "origin": "environment M26_WEB__TOKEN",
    }
    assert (rows["web.port"]["value"], rows["web.port"]["origin"]) == (9, f"{home}/config.toml:2")
    text = m26("config", "show", "--origin").out
    assert f"{home}/config.toml:2" in text, "a line of a table is not folded in a pipe"
    assert "CANARY" not in text


def test_a_reader_that_goes_away_gets_no_traceback(home: Path) -> None:
    for arguments in ("config show", "config show --json", "--help"):
        process = subprocess.Popen(
            [sys.executable, "-m", "m26", *arguments.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ,
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        process.stderr.close()
        process.wait(30)
