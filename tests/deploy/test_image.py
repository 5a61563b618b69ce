"""The container image: linted, and its steps carried out in clean virtual environments."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
from functools import partial
from pathlib import Path

import pytest
from tests.deploy import dockerfile
from tests.deploy.dockerfile import ROOT

INSTRUCTIONS = dockerfile.read()
LAST = [i for i in INSTRUCTIONS if i.stage == INSTRUCTIONS[-1].stage]
BUILD = dockerfile.stage_named(INSTRUCTIONS, "build")


def of(name: str) -> list[str]:
    return [i.text for i in LAST if i.name == name]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that stands for the file system of the image."""
    return dockerfile.carry_out(BUILD, tmp_path_factory.mktemp("image"))


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "M26_HOME": str(home), "M26_WEB__PORT": "0"}


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [program, ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_image_is_named_by_its_digest() -> None:
    """A tag can be moved to other bytes, a digest cannot: a wrong one fails the build."""
    stages = {i.words[-1] for i in INSTRUCTIONS if i.name == "FROM" and "AS" in i.words}
    images = {i.words[0] for i in INSTRUCTIONS if i.name == "FROM"} - stages
    images |= set(re.findall(r"^ +image: (\S+)", (ROOT / "compose.yaml").read_text(), re.MULTILINE))
    pinned = re.compile(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}")
    assert [image for image in sorted(images) if not pinned.fullmatch(image)] == ["m26:latest"]


def test_the_image_runs_as_an_unprivileged_user_with_its_home_in_the_volume() -> None:
    (user,) = of("USER")
    assert user.partition(":")[0].isdigit()
    assert int(user.partition(":")[0]) > 0
    assert f"M26_HOME={of('VOLUME')[0]}" in of("ENV")[0]


def test_the_image_holds_no_secret() -> None:
    words = " ".join(i.text for i in INSTRUCTIONS if i.name in ("ENV", "ARG", "LABEL")).upper()
    assert not [word for word in ("TOKEN", "SECRET", "PASSWORD", "KEY", "DSN") if word in words]


def test_the_build_context_holds_what_is_copied_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(dockerfile.sources(BUILD))


def test_both_pythons_are_the_same_and_rust_is_new_enough() -> None:
    images = [i.words[0] for i in INSTRUCTIONS if i.name == "FROM"]
    pythons = {tag.split(":")[1].split("-")[0] for tag in images if tag.startswith("python:")}
    assert len(pythons) == 1
    rust = next(tag for tag in images if tag.startswith("rust:")).split(":")[1].split("-")[0]
    wanted = tomllib.loads((ROOT / "rust/Cargo.toml").read_text())["package"]["rust-version"]
    assert [*map(int, rust.split("."))] >= [*map(int, wanted.split("."))]


def test_what_the_image_installs_says_its_version(image: Path) -> None:
    version = tomllib.loads((ROOT / "rust/Cargo.toml").read_text())["package"]["version"]
    done = subprocess.run(
        [image / "opt/m26/bin/m26", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == version


def test_what_the_image_installs_says_that_it_is_typed(image: Path) -> None:
    (package,) = (image / "opt/m26/lib").glob("python3.*/site-packages/m26")
    assert (package / "py.typed").is_file()
    assert (package / "_native.pyi").is_file()


def test_the_image_s_command_runs_and_its_health_check_turns_good(
    image: Path, tmp_path: Path
) -> None:
    program = str(image / "opt/m26/bin/m26")
    entry, command = (
        next(i.words for i in LAST if i.name == name) for name in ("ENTRYPOINT", "CMD")
    )
    assert entry == ["m26"]
    health = of("HEALTHCHECK")[0].partition(" CMD ")[2]
    assert health == '["m26", "status"]'
    settings = environment(tmp_path / "data")
    check = [program, "status"]
    asked = partial(
        subprocess.run, check, env=settings, capture_output=True, text=True, check=False
    )
    assert asked().returncode == 1
    run = subprocess.Popen(
        [program, *command],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while (done := asked()).returncode or "new 0," in done.stdout:
            assert time.monotonic() < deadline, "the health check did not turn good"
            time.sleep(0.1)
        run.terminate()  # as an engine ends a container
        output, _ = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 143, output
    *_, stored = (line for line in output.splitlines() if line.startswith("auctions"))
    assert "new 0," not in stored
