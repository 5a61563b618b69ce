"""Options that take a number, of every command: what is no such number is refused at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
from cyclopts import App, CycloptsError

from m26.cli import build

NONSENSE = ("nan", "inf", "-inf", "-1", "1e400", "9" * 30)
NOT_ZERO = {f"sim --{name}" for name in ("size", "speed", "buyouts", "page", "batch")}
NOT_ZERO |= {"rejects ls --limit"}
NEEDED = {"journal export": ["pages.seg"], "market diff": ["--from=2026-01-01"]}
Command = Callable[..., Any]


def numbers(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each command with a name of each option or argument of it that takes numbers."""
    for name in app:
        if name.startswith("-"):
            continue
        if app[name].default_command is not None:
            for argument in app[name].assemble_argument_collection():
                if {int, float} & {argument.hint, *get_args(argument.hint)}:
                    yield (*path, name), argument.name
        yield from numbers(app[name], (*path, name))


def test_every_number_is_within_bounds_and_none_is_nan() -> None:
    app = build()
    found = list(numbers(app))
    assert {" ".join((*path, name)) for path, name in found} >= {
        "tail --limit",
        "sim --port",
        "journal export --from",
        "rejects show ID",
    }
    for path, name in found:
        given = [*NEEDED.get(" ".join(path), ()), f"{name}=" if name.startswith("-") else ""]
        for value in (*NONSENSE, *(["0"] if " ".join((*path, name)) in NOT_ZERO else [])):
            with pytest.raises(CycloptsError) as refused:
                app.parse_args(
                    [*path, *given[:-1], given[-1] + value], exit_on_error=False, print_error=False
                )
            assert name in str(refused.value) or value in str(refused.value)


@pytest.mark.parametrize("given", ["nan", "-1s", "s", "1e9s", "10 weeks", "inf", ""])
def test_a_length_of_time_is_one(m26: Command, given: str) -> None:
    result = m26("run", "--for", given)
    assert result.code == 2
    assert "30s" in result.err or given.startswith("-"), "an option, to the parser"


@pytest.mark.parametrize(
    "key",
    [
        "BUDGET__PER_DAY",
        "BUDGET__PER_MINUTE",
        "BUDGET__BURST",
        "JOURNAL__KEEP_BYTES",
        "REDIS__STREAM_MAXLEN",
        "WEB__PORT",
    ],
)
def test_numbers_of_settings_are_within_bounds(
    m26: Command, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    may_be_zero = key in {"WEB__PORT", "JOURNAL__KEEP_BYTES"}
    for value in (*NONSENSE, "-0.5", *(["0"] if not may_be_zero else [])):
        monkeypatch.setenv(f"M26_{key}", value)
        result = m26("run", "--dry-run")
        assert result.code == 3, (key, value)
        assert f"M26_{key}" in result.err
