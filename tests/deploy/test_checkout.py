"""What is built in a checkout whose folder has an odd name, and the ways to install it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.deploy.dockerfile import ROOT, building
from tests.docs.pages import DOCS, blocks
from tests.docs.shell import Reader

ODD = "a b/ü's 100%"


def copied(folder: Path) -> Path:
    """The sources in another folder; of the development tools only maturin is wanted there."""
    folder.mkdir(parents=True)
    for name in ("Makefile", "Cargo.toml", "Cargo.lock", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "fuzz", "target")
    for name in (".ci", "docs", "python", "requirements", "rust"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    wanted = folder / "requirements" / "dev.txt"
    maturin = re.search(r"^maturin==(?:.*\\\n)+.*\n", wanted.read_text(), re.MULTILINE)
    assert maturin is not None
    wanted.write_text(wanted.with_name("runtime.txt").read_text() + maturin[0])
    return folder


def ran(folder: Path, *command: str, code: int = 0) -> str:
    """What a command printed in that folder, on both streams."""
    with building() as environment:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    assert done.returncode == code, f"{command} in {folder}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which everything is built, by a Python whose path has a space in it, too."""
    folder = copied(tmp_path_factory.mktemp("odd") / ODD)
    python = folder.parent / "my python"
    python.symlink_to(sys.executable)
    ran(folder, "make", "setup", f"PYTHON={python}")
    return folder


def test_make_setup_builds_what_runs_in_a_folder_with_an_odd_name(checkout: Path) -> None:
    for program in ("m26", "uvicorn", "pip", "maturin"):  # scripts, and a program
        assert ran(checkout, f".venv/bin/{program}", "--version")
    assert ran(checkout, ".venv/bin/python", "-c", "import m26; print(m26.__file__)").strip() == (
        str(checkout / "python/m26/__init__.py")
    )
    assert "m26 run" in ran(checkout, "make", "run", "ARGS=--help")
    assert "building" not in ran(checkout, "make", "setup")  # it is done


def test_make_wheel_makes_one_wheel_and_leaves_none_of_before(checkout: Path) -> None:
    (checkout / "dist").mkdir()
    (checkout / "dist" / "m26-0.0.1-cp311-abi3-linux_x86_64.whl").touch()
    ran(checkout, "make", "wheel")
    (wheel,) = (checkout / "dist").iterdir()
    assert "-abi3-" in wheel.name


def test_ci_run_is_at_home_wherever_it_is_called_from(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "make").write_text('#!/bin/sh\necho "$1 in $PWD"\n')
    (tmp_path / "make").chmod(0o755)
    called = ran(tmp_path, "env", f"PATH={tmp_path}:/usr/bin:/bin", str(checkout / ".ci/run"))
    assert set(re.findall(r" in (.*)", called)) == {str(checkout)}


@pytest.mark.parametrize("letter", ['"', "$", "`", "\\"])
def test_a_name_that_pip_s_scripts_cannot_bear_is_told_before_anything_is_built(
    tmp_path: Path, letter: str
) -> None:
    folder = tmp_path / f"a {letter}b"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    assert "rename it" in ran(folder, "make", ".venv/.tools", code=2)
    assert not (folder / ".venv").exists()


@pytest.mark.soak  # some 150 MB from the registry; what /opt/m26 gets, the image gets in every run
def test_each_way_of_the_install_page_leads_to_a_program_that_runs(
    checkout: Path, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    ran(tmp_path, sys.executable, "-m", "venv", str(tools))
    ran(tmp_path, str(tools / "bin/pip"), "install", "--quiet", "pipx", "uv")
    ran(checkout, "make", "wheel")
    reader = Reader(tmp_path / "machine")
    reader.checkout = checkout
    reader.environment |= {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_"))}
    if "PIP_CERT" in os.environ:  # uv knows another name for it
        reader.environment["SSL_CERT_FILE"] = os.environ["PIP_CERT"]
    python = Path(sys.executable).resolve().parent
    reader.environment["PATH"] = f"{tools / 'bin'}:{python}:/usr/bin:/bin"
    for block in blocks(DOCS / "INSTALL.md"):
        if block.language == "bash" and not block.excuse:
            moved = block.text.replace("/opt/m26", f'"{tmp_path}"/opt/m26')
            reader.follow(replace(block, text=moved))
            assert "0.1.0" in reader.output or "pages" in reader.output, reader.output
