"""The compose file and its environment: only settings that exist, no secret in them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.deploy.dockerfile import ROOT

from m26 import config
from m26.embedded.binaries import postgres_folder
from m26.embedded.postgres import Postgres

COMPOSE = (ROOT / "compose.yaml").read_text()
EXAMPLE = (ROOT / "deploy" / "m26.env.example").read_text()
ROLE = ROOT / "deploy" / "postgres-role.sh"
FILES = {"compose.yaml": COMPOSE, "m26.env.example": EXAMPLE}
SECRETS = {"POSTGRES_PASSWORD", "M26_WEB__TOKEN"}


def assigned(text: str) -> dict[str, str]:
    return dict(re.findall(r"^#?([A-Z0-9_]+)=(.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("name", FILES)
def test_every_setting_in_it_exists(name: str) -> None:
    known = {config.environment_name(key) for key in config.every_key()}
    assert set(re.findall(r"\bM26_[A-Z0-9_]+", FILES[name])) <= known


def test_the_example_leaves_every_secret_to_the_operator() -> None:
    empty = {name for name, value in assigned(EXAMPLE).items() if not value}
    assert empty == SECRETS


def test_what_compose_takes_from_the_environment_is_in_the_example() -> None:
    assert set(re.findall(r"\$\{(\w+)", COMPOSE)) <= set(assigned(EXAMPLE))


def test_the_containers_settings_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: value or "CANARY" for name, value in assigned(EXAMPLE).items()}
    inside = dict(re.findall(r"^ {6}(M26_\w+): (\S.*?)(?: #.*)?$", COMPOSE, re.MULTILINE))
    dsn = inside["M26_POSTGRES__DSN"]
    inside["M26_POSTGRES__DSN"] = re.sub(r"\$\{.*\}", "CANARY", dsn)
    for name, value in {**given, **inside}.items():
        if name.startswith("M26_"):
            monkeypatch.setenv(name, value)
    settings = config.load().settings
    assert settings.web.host == "0.0.0.0"
    assert settings.web.token is not None
    assert settings.profile == "sim"
    assert settings.redis.url is not None


def test_the_role_of_the_containers_is_no_superuser_and_the_superuser_has_no_password(
    postgres: Postgres, tmp_path: Path
) -> None:
    mounted = "./deploy/postgres-role.sh:/docker-entrypoint-initdb.d/postgres-role.sh:ro"
    assert mounted in COMPOSE
    assert re.findall(r"POSTGRES_USER: (\w+)", COMPOSE) == ["postgres"]
    script = tmp_path / "role.sh"  # this server has a role and a database of that name already
    script.write_text(ROLE.read_text().replace("m26", "m26_composed"))
    psql = postgres_folder()
    environment = {
        "PATH": f"{psql}:{os.defpath}",
        "PGHOST": str(postgres.socket_folder),
        "POSTGRES_USER": "m26_admin",
        "POSTGRES_PASSWORD": "CANARY'x",
    }
    asked = [psql / "psql", "-U", "m26_admin", "postgres", "-tAc"]

    def ask(statement: str) -> str:
        return subprocess.run(
            [*asked, statement], env=environment, capture_output=True, text=True, check=True
        ).stdout

    subprocess.run(["sh", script], env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        roles = "SELECT rolname, rolsuper, rolpassword LIKE 'SCRAM%' FROM pg_authid"
        wanted = f"{roles} WHERE rolname IN ('m26_composed', 'm26_admin') ORDER BY 1"
        assert ask(wanted) == "m26_admin|t|\nm26_composed|f|t\n"
        owner = "SELECT datdba::regrole FROM pg_database WHERE datname = 'm26_composed'"
        assert ask(owner) == "m26_composed\n"
    finally:
        ask("DROP DATABASE m26_composed")
        ask("DROP ROLE m26_composed")


def test_compose_publishes_on_loopback_only() -> None:
    (published,) = re.findall(r"ports: \[(.*)\]", COMPOSE)
    assert re.fullmatch(r'"127\.0\.0\.1:\d+:8026"', published)
