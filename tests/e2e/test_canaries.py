"""Every secret that the simulator ever handed out stays out of whatever m26 prints or stores."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
from tests.oracle import leaks, trial
from tests.support import product
from tests.support.simulator import Simulator, simulator

_LOG = {"log__level": "debug", "log__format": "console"}
"""JSON lines are searched by the other oracle tests."""
_MARKET = ("--size", "60", "--scale", "1440")


def test_no_secret_shows_in_logs_outputs_crashes_or_stores(tmp_path: Path) -> None:
    with (
        simulator(tmp_path / "sim", *_MARKET) as sim,
        product.client_of(
            sim, tmp_path / "home", log__level="debug", log__format="console"
        ) as home,
    ):
        printed: list[str] = []

        def m26(*arguments: str, code: int = 0) -> None:
            done = home.m26(*arguments, code=code)
            printed.extend((done.stdout, done.stderr))

        with home.running() as run:
            run.grow(5)
            for fault in ("short_body", "timeout", "unauthorized"):
                sim.control(fault=fault, next=1)
            run.until(lambda: "token_rejected" in run.get("/metrics").text)
            run.grow(5)
            m26("auth", "status", "--json", "--debug")
            m26("auth", "rebuild", "--json", "--renew", "--debug")
            m26("status", "--json")
            sim.control(fault="captcha", next=1)
            run.until(lambda: run.status["state"]["state"] == "stopped")
            assert run.end() == 143
        m26("auth", "status", "--bundles")
        m26("auth", "login", "--account", "main", "--redirect", _logged_in(home, sim), "--debug")
        m26("resume")
        m26("auth", "login", "--account", "main", "--redirect", "CANARY-NO-CODE", "--debug", code=4)
        _crashes(home, sim, m26)
        trial.hold(sim.folder / "ledger.db", home)
        (tmp_path / "home.printed").write_text("\n".join(printed))
        trial.require(leaks.judge_leaks(sim.secrets(), [("printed", "\n".join(printed).encode())]))
        assert "Traceback" in "\n".join(printed), "a crash is to be among what was searched"


def _logged_in(home: product.Home, sim: Simulator) -> str:
    """Where a browser ends up after the operator's login."""
    address = home.m26("auth", "login", "--account", "main", "--print-url").stdout.strip()
    url = next(word for word in address.split() if word.startswith("http"))
    reply = httpx.get(url, follow_redirects=False, trust_env=False)
    assert reply.status_code == 302, reply.text
    target = reply.headers["location"]
    assert dict(parse_qsl(urlsplit(target).query))["code"]
    return str(target)


def _crashes(home: product.Home, sim: Simulator, m26: object) -> None:
    assert callable(m26)
    capture = (sim.folder / "capture.har").read_bytes()
    broken = home.path.parent / "broken.har"
    broken.write_bytes(capture[: len(capture) // 2])
    m26("auth", "import", str(broken), "--debug")
    damaged = home.path.parent / "damaged.har"
    damaged.write_bytes(b"[" + capture)
    m26("auth", "import", str(damaged), "--debug", code=2)
    vault = (home.path / "vault.bin").read_bytes()
    (home.path / "vault.bin").write_bytes(vault[: len(vault) // 2])
    m26("auth", "status", "--debug", code=4)
    m26("run", "--for", "1s", "--debug", code=4)
    (home.path / "vault.bin").write_bytes(vault)
