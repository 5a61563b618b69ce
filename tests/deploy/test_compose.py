"""The compose file and its environment: only settings that exist, no secret in them."""

from __future__ import annotations

import re

import pytest
from tests.deploy.dockerfile import ROOT

from m26 import config

COMPOSE = (ROOT / "compose.yaml").read_text()
EXAMPLE = (ROOT / "deploy" / "m26.env.example").read_text()
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


def test_compose_publishes_on_loopback_only() -> None:
    (published,) = re.findall(r"ports: \[(.*)\]", COMPOSE)
    assert re.fullmatch(r'"127\.0\.0\.1:\d+:8026"', published)
