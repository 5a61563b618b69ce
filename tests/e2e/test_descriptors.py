"""``m26 run`` where descriptors are few, taken by strangers, or used up altogether."""

from __future__ import annotations

import re
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support import product
from tests.support.product import LIVELY, Home

_SOFT, _HARD = 100, 500


@pytest.fixture
def home(tmp_path: Path, database: str, redis_url: str) -> Iterator[Home]:
    given = {"profile": "sim", "postgres__dsn": database, "redis__url": redis_url}
    lively = {key.replace(".", "__"): value for key, value in LIVELY.items()}
    with product.home(tmp_path / "home", **given, **lively) as made:
        yield made


def limited(soft: int, hard: int) -> tuple[str, ...]:
    """m26 as a program that begins with these limits of descriptors."""
    return ("tests.support.limited", str(soft), str(hard), "run")


def test_a_thousand_idle_connections_do_not_end_a_run_and_used_up_descriptors_are_waited_out(
    home: Home,
) -> None:
    with home.running(program=limited(_SOFT, _HARD)) as run:
        pid = run.process.pid
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (_HARD, _HARD)
        place, strangers = urlsplit(run.url), list[socket.socket]()
        try:
            for _ in range(1000):
                strangers.append(socket.create_connection((place.hostname, place.port), 10))
            run.grow(5)
            assert run.get("/healthz").status_code == 200
            # It says so itself: others of its user cannot look.
            (held,) = re.findall(r"\nprocess_open_fds (\d+)", run.get("/metrics").text)
            assert int(held) < 150
        finally:
            for each in strangers:
                each.close()

        with httpx.Client(base_url=run.url, trust_env=False) as kept:
            kept.get("/healthz")  # from now on it needs no new descriptor
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, _HARD))
            run.until(lambda: _state(kept)["state"] == "storing_only")
            assert "Too many open files" in _state(kept)["reason"]
            assert "ulimit" in _state(kept)["advice"]
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (_HARD, _HARD))
        run.until(lambda: run.status["state"]["state"] == "collecting")
        run.grow()
        assert run.end() == 143


def _state(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get("/api/v1/status").json()["state"])


def test_too_low_a_limit_is_told_before_anything_starts(home: Home) -> None:
    run = home.start(program=limited(64, 64))
    try:
        assert run.process.wait(30) == 3
    finally:
        run.kill()
    said = home.log.read_text()
    assert "may open 64 files, and m26 needs 288" in said
    assert "Traceback" not in said
