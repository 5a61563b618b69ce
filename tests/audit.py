"""What m26 is built of: locked wheels and crates in; a line for each check, and findings, out.

`make audit` runs all checks, `make lint` the one that needs no network (`--offline`). Exit code 1
means findings. A check that could not be done says so, and why, and is none.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).parents[1]
ALLOWED = {
    *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "MIT-0", "PSF-2.0"),
    "MPL-2.0",  # of its own files alone: what is built with them may have any licence
}
"""Licences of wheels that m26 needs to run; of crates: rust/deny.toml."""
_CLASSIFIERS = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",  # there is one of this name
}
"""Of wheels that state it nowhere else; the classifier of BSD says not which."""
_PIN = re.compile(r"^([\w.-]+)==(\S+)( ;)?", re.MULTILINE)
_VERDICT = re.compile(r"^(?:advisories|bans) (?:ok|FAILED)\b", re.MULTILINE)
_WORKSPACES = ("rust", "rust/fuzz")

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class Metadata(Protocol):
    """What a wheel says of itself, as `importlib.metadata` reads it."""

    def get(self, name: str, /) -> str | None: ...
    def get_all(self, name: str, /) -> list[str] | None: ...
    def __getitem__(self, name: str, /) -> str: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one check."""

    check: str
    found: list[str] = field(default_factory=list)
    undone: str = ""
    """Why it, or a part of it, could not be done."""

    def __str__(self) -> str:
        lines = [f"found     {self.check}", *(f"  {line}" for line in self.found)]
        if not self.found:
            lines = [] if self.undone else [f"ok        {self.check}"]
        if self.undone:
            lines.append(f"not done  {self.check}: {self.undone}")
        return "\n".join(lines)


def wheels(lock: str, look_up: Callable[[str], Metadata] = metadata) -> Outcome:
    """Whether each wheel of a lock is the one that is installed, under licences of `ALLOWED`.

    Args:
        lock: text of the requirements file.
        look_up: metadata of an installed package; raises `PackageNotFoundError`.
    """
    pins = _PIN.findall(lock)
    found, elsewhere = [], []
    for name, version, conditional in pins:
        try:
            about = look_up(name)
        except PackageNotFoundError:
            if conditional:
                elsewhere.append(name)
            else:
                found.append(f"{name} is not installed")
            continue
        if about["Version"] != version:
            found.append(f"{name} is installed as {about['Version']} and locked as {version}")
        stated = set(licences(about))
        if not stated:
            found.append(f"{name} states no licence by a name of SPDX")
        found += [f"{name} has the licence {each}" for each in sorted(stated - ALLOWED)]
    left_out = f", but for {', '.join(elsewhere)}, not needed here" if elsewhere else ""
    return Outcome(f"licences of {len(pins)} wheels{left_out}", found)


def licences(about: Metadata) -> Iterator[str]:
    """Every licence that a wheel names: those of an alternative all count."""
    named = about.get("License-Expression") or about.get("License") or ""
    if about.get("License-Expression") or re.fullmatch(r"[\w.+-]+", named):
        yield from set(re.findall(r"[\w.+-]+", named)) - {"AND", "OR"}
    else:
        for classifier in about.get_all("Classifier") or ():
            if classifier.startswith("License :: "):
                yield _CLASSIFIERS.get(classifier, classifier)


def crates(run: Run) -> Iterator[Outcome]:
    """Licences, bans and sources of all crates, then advisories on them, by cargo-deny.

    Args:
        run: runs a program.
    """
    for what, kinds in (
        ("licences, bans and sources of", ("licenses", "bans", "sources")),
        ("advisories on", ("advisories",)),
    ):
        for folder in _WORKSPACES:
            where = ["--locked", "--all-features", "--manifest-path", f"{folder}/Cargo.toml"]
            done = run(["cargo", "deny", *where, "check", *kinds])
            said = (done.stdout + done.stderr).strip()
            check = f"{what} crates of {folder}/"
            if _VERDICT.search(said):
                yield Outcome(check, said.splitlines() if done.returncode else [])
            else:
                yield Outcome(check, undone=_last(said))


def vulnerable(lock: str, run: Run) -> Outcome:
    """Known vulnerabilities of the wheels of a lock, by pip-audit.

    Args:
        lock: path of the requirements file.
        run: runs a program.
    """
    check = f"advisories on wheels of {lock}"
    options = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "-f", "json"]
    done = run([f"{sys.prefix}/audit/bin/pip-audit", "--requirement", lock, *options])
    try:
        told = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return Outcome(check, undone=_last(done.stderr))
    found = [
        f"{each['name']} {each['version']} has {flaw['id']}, mended in "
        f"{' or '.join(flaw['fix_versions']) or 'no version'}"
        for each in told
        for flaw in each.get("vulns", ())
    ]
    skipped = [each["skip_reason"] for each in told if "skip_reason" in each]
    undone = f"{len(skipped)} of {len(told)} were not looked up: {skipped[0]}" if skipped else ""
    return Outcome(check, found, undone)


def _last(said: str) -> str:
    lines = [line for line in said.splitlines() if line and not line.startswith("help:")]
    return lines[-1] if lines else "it said nothing"


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    if shutil.which(command[0]) is None:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} is not installed")
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def outcomes(*, offline: bool) -> Iterable[Outcome]:
    """Of all checks, or of those that ask nobody."""
    yield wheels((ROOT / "requirements/runtime.txt").read_text("utf-8"))
    if not offline:
        yield from crates(_run)
        yield vulnerable("requirements/dev.txt", _run)  # it holds what runtime.txt does


def main(arguments: Sequence[str]) -> int:
    """Print what became of each check; 1 if one found something."""
    code = 0
    for outcome in outcomes(offline="--offline" in arguments):
        sys.stdout.write(f"{outcome}\n")
        sys.stdout.flush()
        code |= bool(outcome.found)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
