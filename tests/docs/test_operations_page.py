"""docs/OPERATIONS.md against the code: settings, states, metrics, exit codes, endpoints, files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, quoted, rows, section

from m26 import config, errors
from m26.status.conditions import State
from m26.status.metrics import Metrics
from m26.web.pages import PAGES
from m26.web.questions import QUESTIONS

PAGE = DOCS / "OPERATIONS.md"


def table(heading: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    text = section(PAGE, heading)
    start = text.index("\n|")
    return list(rows(re.split(r"\n\n", text[start:].strip("\n"))[0]))


def test_every_setting_stands_there_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [config.environment_name(key) for key in config.every_key()]:
        monkeypatch.delenv(name, raising=False)
    settings = config.Settings(home=Path("/"))
    told = {cells[0].strip("`"): cells[1] for cells in table("Settings")}
    assert list(told) == [config.environment_name(key) for key in config.every_key()]
    for key in config.every_key():
        default = config.shown(settings, key)
        shown = told[config.environment_name(key)]
        if key != "home":
            assert shown == ("not set" if default is None else f"`{default}`"), key


def test_every_state_stands_there_in_the_order_of_severity() -> None:
    assert [cells[0].strip("`") for cells in table("States")] == [state.value for state in State]


def test_every_metric_stands_there_with_its_labels() -> None:
    told = {cells[0].strip("`"): set(quoted(cells[1])) for cells in table("Metrics")}
    collectors = Metrics().registry._collector_to_names
    real = {
        collector._name + ("_total" if collector._type == "counter" else ""): collector._labelnames
        for collector in collectors
        if hasattr(collector, "_labelnames")
    }
    assert set(told) == set(real)
    for name, labels in real.items():
        assert set(labels) <= told[name], name


def test_labels_that_are_known_beforehand_stand_there() -> None:
    told = {cells[0].strip("`"): set(quoted(cells[1])) for cells in table("Metrics")}
    for metric, label, value in re.findall(
        r'^(m26_\w+)\{(\w+)="(\w+)"\}', Metrics().render().decode(), re.MULTILINE
    ):
        assert {label, value} <= told[metric], metric


def test_every_exit_code_stands_there_with_its_name() -> None:
    told = {cells[0]: cells[1].strip("`") for cells in table("Exit codes")}
    kinds = [errors.M26Error]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    # Those of errors.py alone: others carry the exit code of what they tell of.
    own = [kind for kind in kinds[1:] if kind.__module__ == errors.__name__]
    codes = {f"`{kind.exit_code}`": kind.code for kind in own if kind.code != "transport"}
    signals = {"`129`, `130`, `143`": "", "`134`": ""}
    assert {**codes, "`0`": "ok", "`1`": "", **signals} == told


def test_every_page_stands_there() -> None:
    assert [cells[0].strip("`") for cells in table("HTTP")] == [page.path for page in PAGES]


def test_every_question_stands_there_with_its_parameters() -> None:
    text = section(DOCS / "API.md", "Questions")
    told = {cells[0].strip("`"): quoted(cells[1]) for cells in rows(text)}
    assert told == {
        each.path: [p.name for p in each.parameters if p.name not in {"platform", "card_id", "at"}]
        if "{" in each.path
        else [p.name for p in each.parameters if p.name not in {"platform", "at"}]
        for each in QUESTIONS
    }


def test_every_file_that_the_code_puts_into_the_home_stands_there() -> None:
    told = " ".join(cells[0] for cells in table("Files of the home"))
    root = Path(config.__file__).parent
    for path, pattern in {
        "config.py": r'^FOCUS: Final = "(.+)"$',
        "home/runfile.py": r'^RUN = "(.+)"$',
        "home/stops.py": r'^STOP = "(.+)"$',
        "auth/vault.py": r'^FILE: Final = "(.+)"$',
        "auth/keys.py": r'^KEY_FILE: Final = "(.+)"$',
        "upstream/profile.py": r'^_OVERLAY = "(.+)"$',
        "app/storing.py": r'settings\.home / "(\w+)"',
        "app/outgoing.py": r'settings\.home / "(\w+)"',
        "app/simulator.py": r'home / "(\w+)"',
        "home/lock.py": r'home / "(\w+)"',
        "embedded/postgres.py": r'^_FOLDER = "(.+)"$',
        "embedded/valkey.py": r'^_FOLDER = "(.+)"$',
    }.items():
        names = re.findall(pattern, (root / path).read_text(), re.MULTILINE)
        assert names, path
        assert [name for name in names if name not in told] == [], path
