from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from m26 import config
from m26.cli import build

UNITS = sorted((Path(__file__).parents[2] / "docs" / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_the_units_are_those_that_are_documented() -> None:
    names = ["m26-auth-rebuild.service", "m26-auth-rebuild.timer", "m26.service"]
    assert [unit.name for unit in UNITS] == names
    timer = UNITS[1]
    assert values(timer, "OnCalendar") == ["weekly"]
    assert values(timer, "Persistent") == ["true"]
    assert values(timer, "RandomizedDelaySec")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_a_service_starts_a_command_that_there_is_with_settings_that_there_are(unit: Path) -> None:
    (started,) = values(unit, "ExecStart")
    program, *arguments = started.split()
    assert program == "/opt/m26/bin/m26"
    command = build()
    for name in arguments:
        command = command[name]
    assert command.default_command is not None
    known = {config.environment_name(key) for key in config.every_key()}
    assert set(re.findall(r"\bM26_[A-Z_]+", unit.read_text())) <= known
    assert (values(unit, "LimitCORE"), values(unit, "UMask")) == (["0"], ["0077"])
    (credential,) = values(unit, "LoadCredential")
    assert credential.split(":")[0] == config.CREDENTIAL


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_a_service_is_let_do_little_more_than_it_does(unit: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd looks at it: apt-get install systemd")
    command = [program, "security", "--offline=true", "--no-pager", "--threshold=30", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"exposure level for \S+: (\S+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= 3, done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_has_nothing_to_say_against_a_unit(unit: Path, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    for other in UNITS:  # here the user and the program are not installed
        text = other.read_text().replace("/opt/m26/bin/m26", "/bin/true")
        (tmp_path / other.name).write_text(
            re.sub(r"^User=.*$", "User=root", text, flags=re.MULTILINE)
        )
    if program is not None:
        done = subprocess.run(
            [program, "verify", "--man=no", str(tmp_path / unit.name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
