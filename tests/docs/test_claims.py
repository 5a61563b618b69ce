"""What pages say of the repository: links, paths, proofs and names that have to exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, PAGES, ROOT, anchors, quoted, rows, section

from m26 import config
from m26.upstream.profile import Profile

SHIPPED = ROOT / "python/m26"
MODULES = sorted(SHIPPED.rglob("*.py"))
TOPS = "python|rust|tests|benches|docs|deploy|examples|requirements|\\.ci|\\.github"
GENERATED = {"docs/BENCHMARKS.md"}
PROOF = re.compile(rf"^((?:{TOPS})/[\w./-]+)(?:::(\w+))?$")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if str(path.relative_to(ROOT)) not in GENERATED:
            assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_path_and_test_that_is_named_exists(page: Path) -> None:
    for text in quoted(page.read_text()):
        if (match := PROOF.match(text)) and "NAME" not in text:
            path = ROOT / match[1]
            assert path.exists(), text
            if match[2]:
                names = {
                    n.name for n in ast.walk(ast.parse(path.read_text())) if hasattr(n, "name")
                }
                assert match[2] in names, text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    known = {config.environment_name(key) for key in config.every_key()}
    named = set(re.findall(r"\bM26_[A-Z][A-Z0-9_]*[A-Z0-9]", page.read_text()))
    assert named <= known


@pytest.mark.parametrize("heading", ["Functional", "Non-functional"])
def test_every_requirement_is_numbered_once_and_has_a_proof(heading: str) -> None:
    table = list(rows(section(DOCS / "PROJECT_SPEC.md", heading)))
    numbers = [cells[0] for cells in table]
    assert len(numbers) == len(set(numbers)) > 5
    for number, _, proofs in table:
        assert [p for p in quoted(proofs) if PROOF.match(p)], number


def test_every_rule_of_the_constitution_has_a_check() -> None:
    for rule, check in rows((DOCS / "PROJECT_CONSTITUTION.md").read_text()):
        assert check, rule


def test_the_map_of_the_code_names_every_module_and_every_rust_file() -> None:
    text = (DOCS / "ARCHITECTURE.md").read_text()
    named = set(quoted(text))
    missing = []
    for path in [p for p in MODULES if p.stem not in ("__init__", "__main__")]:
        package = path.parent.relative_to(SHIPPED)
        known = not {path.name, path.stem, str(path.relative_to(ROOT))}.isdisjoint(named)
        owned = not package.parts or f"**`{package}/`**" in text
        if not (known and owned):
            missing.append(str(path.relative_to(ROOT)))
    core = ROOT / "rust/src"
    for path in core.rglob("*.rs"):
        folder, *names = path.relative_to(core).with_suffix("").parts
        start = f"| `rust/src/{folder}/` |"
        row = next((line for line in text.splitlines() if line.startswith(start)), "")
        known = names[0] in {"mod", *quoted(row)} if names else f"rust/src/{path.name}" in named
        if not known or (names and not row):
            missing.append(str(path.relative_to(ROOT)))
    assert missing == []


def test_the_index_of_decisions_names_every_one() -> None:
    index = (DOCS / "adr" / "README.md").read_text()
    written = {p.name for p in (DOCS / "adr").glob("0*.md")}
    assert written == set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", index))


def test_make_s_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"(?:^|`|&& )make ([a-z-]+)", page.read_text(), re.MULTILINE)
        assert set(named) <= targets, page.name


def test_the_commands_of_the_upstream_only_read() -> None:
    reading = {"Mobile_SearchAuctions", "Mobile_RefreshAuctionDetails", "Mobile_GetAuctionBids"}
    for name in ("madden26", "sim"):
        assert {command.name for command in Profile.load(name).commands.values()} <= reading


def test_the_shipped_profile_holds_no_secret_and_the_simulator_s_are_canaries() -> None:
    def secrets(name: str) -> list[str]:
        profile = Profile.load(name)
        signing, oauth = profile.signing, profile.oauth
        constants = [bytes.fromhex(part).decode() for part in (signing.key, signing.code_secret)]
        texts = [signing.static_data, oauth.client_id, oauth.client_secret, profile.wal.device_id]
        return [text for text in (*constants, *texts) if text]

    assert secrets("madden26") == []
    assert all("CANARY" in text for text in secrets("sim"))


def test_no_module_has_a_name_that_says_nothing() -> None:
    vague = {"utils", "helpers", "common", "base", "manager"}
    assert [str(path) for path in MODULES if path.stem in vague] == []
