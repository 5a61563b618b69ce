"""What `make audit` finds, what it could not do, and that nothing is taken for "no finding"."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from email.message import Message
from importlib.metadata import PackageNotFoundError

import pytest
from tests import audit
from tests.audit import ROOT

_DENIED = "error[rejected]: failed to satisfy license requirements\nbans ok, licenses FAILED\n"
_AWAY = "fatal: unable to access 'https://example.invalid/': Could not resolve host\n"


def test_wheels_are_looked_at_by_make_lint_and_all_by_make_audit() -> None:
    lint, full = (
        subprocess.run(
            ["make", "-n", "--assume-old=.venv/.built", target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for target in ("lint", "audit")
    )
    assert "-m tests.audit --offline\n" in lint
    assert "-m tests.audit\n" in full
    done = subprocess.run(
        [sys.executable, "-m", "tests.audit", "--offline"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()[0]) == (0, "ok"), done


def test_no_licence_is_allowed_that_no_wheel_has() -> None:
    used: set[str] = set()

    def look_up(name: str) -> audit.Metadata:
        about = audit.metadata(name)
        used.update(audit.licences(about))
        return about

    audit.wheels((ROOT / "requirements/runtime.txt").read_text("utf-8"), look_up)
    assert used == audit.ALLOWED


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({"License-Expression": "MIT AND (Apache-2.0 OR BSD-3-Clause)"}, []),
        ({"License": "MPL-2.0"}, []),
        (
            {
                "License": "MIT License\n\nCopyright",
                "Classifier": "License :: OSI Approved :: MIT License",
            },
            [],
        ),
        ({"License-Expression": "MIT OR GPL-3.0-only"}, ["made-up has the licence GPL-3.0-only"]),
        ({"License": "Proprietary"}, ["made-up has the licence Proprietary"]),
        (
            {"Classifier": "License :: OSI Approved :: BSD License"},
            ["made-up has the licence License :: OSI Approved :: BSD License"],
        ),
        ({"License": "as in the file"}, ["made-up states no licence by a name of SPDX"]),
        ({}, ["made-up states no licence by a name of SPDX"]),
        (
            {"License": "MIT", "Version": "1.1"},
            ["made-up is installed as 1.1 and locked as 1.0"],
        ),
    ],
)
def test_a_wheel_states_licences_that_are_allowed(
    members: dict[str, str], found: list[str]
) -> None:
    about = Message()
    for name, value in ({"Version": "1.0"} | members).items():
        about[name] = value
    outcome = audit.wheels("made-up==1.0 \\\n    --hash=sha256:00", lambda _: about)
    assert outcome.found == found


def test_a_wheel_that_is_absent_is_a_finding_unless_its_lock_has_a_condition() -> None:
    def absent(name: str) -> audit.Metadata:
        raise PackageNotFoundError(name)

    assert audit.wheels("one==1.0 \\\n", absent).found == ["one is not installed"]
    outcome = audit.wheels("one==1.0 ; python_full_version < '3.11.3' \\\n", absent)
    assert str(outcome) == "ok        licences of 1 wheels, but for one, not needed here"


def test_crates_that_are_refused_are_findings_and_advisories_out_of_reach_are_told() -> None:
    outcomes = list(audit.crates(_saying(licenses=(4, _DENIED), advisories=(1, _AWAY))))
    assert [bool(outcome.found) for outcome in outcomes] == [True, True, False, False]
    assert outcomes[0].found == _DENIED.splitlines()
    assert {outcome.undone for outcome in outcomes[2:]} == {_AWAY.strip()}
    known = "error[vulnerability]: made up\nadvisories FAILED\n"
    outcomes = list(audit.crates(_saying(licenses=(0, "bans ok"), advisories=(1, known))))
    assert [bool(outcome.found) for outcome in outcomes] == [False, False, True, True]


def test_cargo_deny_that_is_missing_is_told() -> None:
    missing = "error: no such command: `deny`\n\nhelp: find a package to install `deny`\n"
    told = {str(each) for each in audit.crates(_saying(licenses=(101, missing)))}
    assert len(told) == 4
    assert all(line.startswith("not done  ") and "no such command" in line for line in told)


def test_known_flaws_of_wheels_are_findings() -> None:
    flaw = {"id": "PYSEC-0000-1", "fix_versions": ["1.1"]}
    told = [
        {"name": "made-up", "version": "1.0", "vulns": [flaw]},
        {"name": "sound", "version": "1.0", "vulns": []},
    ]
    outcome = audit.vulnerable("lock", _pip_audit(told, code=1))
    assert (outcome.found, outcome.undone) == (
        ["made-up 1.0 has PYSEC-0000-1, mended in 1.1"],
        "",
    )


def test_wheels_that_no_source_knows_are_not_said_to_have_no_flaw() -> None:
    """pip-audit ends with 0 and "No known vulnerabilities found" then."""
    told = [{"name": "made-up", "skip_reason": "not found"}, {"name": "sound", "vulns": []}]
    outcome = audit.vulnerable("lock", _pip_audit(told))
    assert str(outcome) == (
        "not done  advisories on wheels of lock: 1 of 2 were not looked up: not found"
    )


def test_a_source_that_does_not_answer_is_told() -> None:
    def fails(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "ConnectionError: made up\n")

    assert audit.vulnerable("lock", fails).undone == "ConnectionError: made up"


def _saying(
    **answers: tuple[int, str],
) -> Callable[[Sequence[str]], subprocess.CompletedProcess[str]]:
    """cargo-deny with made-up words, by what it is to check; the first answer is also the last."""

    def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        kind = next((kind for kind in answers if kind in command), "licenses")
        return subprocess.CompletedProcess(command, answers[kind][0], "", answers[kind][1])

    return run


def _pip_audit(
    told: object, *, code: int = 0
) -> Callable[[Sequence[str]], subprocess.CompletedProcess[str]]:
    document = json.dumps({"dependencies": told})
    return lambda command: subprocess.CompletedProcess(command, code, document, "said")
