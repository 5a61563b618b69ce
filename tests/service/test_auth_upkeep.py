"""Login and rebuild as commands of their own, beside a collector, over real HTTP."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.support.product import LIVELY, Home, client_of, home
from tests.support.simulator import Simulator, simulator

from m26.auth.credentials import Credentials
from m26.auth.vault import Vault


@pytest.fixture
def sim(tmp_path: Path) -> Iterator[Simulator]:
    with simulator(tmp_path / "world" / "sim") as running:
        yield running


def address(on: Home, *arguments: str) -> str:
    return str(
        json.loads(on.m26("auth", "login", "--print-url", "--json", *arguments).stdout)["url"]
    )


def browse(url: str) -> str:
    """What a browser's address line shows at the end of a login: here nobody types a password."""
    reply = httpx.get(url, trust_env=False)
    assert reply.status_code == 302, reply.text
    return reply.headers["location"]


def paste(on: Home, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "m26", "auth", "login", *arguments],
        env=on.environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def tokens_asked(sim: Simulator) -> Counter[int]:
    """Requests of the token service so far, by the status of their answer."""
    with sim.ledger() as ledger:
        return Counter(r.status for _, r in ledger.requests() if r.kind == "token")


def settings(sim: Simulator) -> dict[str, object]:
    lively = {key.replace(".", "__"): value for key, value in LIVELY.items()}
    return {
        "profile": "sim",
        "upstream__oauth_url": sim.url,
        "upstream__base_url": sim.url,
        **lively,
    }


def test_a_login_through_a_browser_makes_an_account_that_collects(
    tmp_path: Path, sim: Simulator
) -> None:
    with home(tmp_path / "home", **settings(sim)) as own:
        new = ("--account", "mine", "--platform", "sim")
        landed = browse(address(own, *new))
        done = paste(own, f"{landed}\n", "--json", *new)
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout.splitlines()[-1])
        assert (document["account"]["account"], document["stopped"]) == ("mine", [])
        code = parse_qs(urlsplit(landed).query)["code"][0]
        again = paste(own, code, *new)
        assert (again.returncode, "does not accept this code" in again.stderr) == (4, True)
        with sim.ledger() as ledger:
            secrets = [text for text in ledger.secrets() if len(text) > 8]
        shown = done.stdout + done.stderr + again.stdout + again.stderr
        # Everybody sees the client id in the address; nothing else is there to be seen.
        assert [s for s in (*secrets, code) if s in shown.replace("SIM-CANARY-CLIENT-ID", "")] == []
        shutil.copy(sim.folder / "capture.har", tmp_path / "device.har")
        own.m26("auth", "import", str(tmp_path / "device.har"), "--account", "mine")
        with own.running() as run:
            run.grow()


def test_a_rebuild_beside_a_collector_renews_once_and_disturbs_nobody(
    tmp_path: Path, sim: Simulator
) -> None:
    with client_of(sim, tmp_path / "home") as own:
        with own.running() as run:
            run.grow()
            before, asked = run.requests, sum(tokens_asked(sim).values())
            rebuilds = [
                subprocess.Popen(
                    [sys.executable, "-m", "m26", "auth", "rebuild", "--renew", "--json"],
                    env=own.environment,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
                for _ in range(2)
            ]
            sim.control(kill_sessions=True)  # the collector logs in meanwhile
            documents = []
            for rebuild in rebuilds:
                out, errors = rebuild.communicate(timeout=60)
                assert rebuild.returncode == 0, errors
                documents += json.loads(out)["accounts"]
            assert [each["tokens"] for each in documents] == ["renewed"] * 2
            run.until(lambda: run.requests > before + 5)
            run.grow()
            assert run.end() == 143
        answers = tokens_asked(sim)
        assert set(answers) == {200}, "no token was used twice"
        assert sum(answers.values()) - asked == 2
        held = Vault.open(own.path).read("main")
        assert held.refresh_dead is None
        own.m26("auth", "rebuild", "--renew")  # by the pair that is in the vault
        assert set(tokens_asked(sim)) == {200}


def test_where_the_flow_takes_it_a_code_is_of_no_use_without_its_proof(
    tmp_path: Path, sim: Simulator
) -> None:
    text = (files("m26") / "profiles" / "sim.toml").read_text().replace('["sim"]', '["ps5"]')
    profile = tmp_path / "made.toml"
    profile.write_text(text.replace("[oauth]", "[oauth]\npkce = true"))
    with home(tmp_path / "home", **settings(sim) | {"profile": str(profile)}) as own:
        new = ("--account", "mine", "--platform", "ps5")
        asked = address(own, *new)
        assert parse_qs(urlsplit(asked).query)["code_challenge_method"] == ["S256"]
        landed = browse(asked)
        code = parse_qs(urlsplit(landed).query)["code"][0]
        bare = paste(own, f"{code}\n", *new)
        assert (bare.returncode, "a code alone is not enough" in bare.stderr) == (2, True)
        profile.write_text(text)
        stolen = paste(own, f"{code}\n", *new)
        assert (stolen.returncode, "does not accept this code" in stolen.stderr) == (4, True)
        profile.write_text(text.replace("[oauth]", "[oauth]\npkce = true"))
        assert paste(own, f"{landed}\n", *new).returncode == 0
        assert tokens_asked(sim) == Counter({400: 1, 200: 1})


def test_a_weekly_rebuild_takes_new_captures_and_ends_when_nothing_is_left(
    tmp_path: Path, sim: Simulator
) -> None:
    with home(tmp_path / "home", **settings(sim)) as own:
        folder = own.path / "captures"
        folder.mkdir(mode=0o700)
        shutil.copy(sim.folder / "capture.har", folder / "week.har")
        (folder / "torn.har").write_bytes(b'{"log":')
        for file in folder.iterdir():
            file.chmod(0o600)
        (first,) = json.loads(own.m26("auth", "rebuild", "--keep", "--json").stdout)["accounts"]
        assert (first["account"], first["platform"], first["tokens"]) == ("main", "sim", "young")
        assert [c["state"] for c in first["captures"]] == ["unreadable", "imported"]
        assert first["bundles_added"] == 1
        (second,) = json.loads(own.m26("auth", "rebuild", "--json").stdout)["accounts"]
        assert (second["bundles_added"], second["changes"]) == (0, [])
        assert [c["deleted"] for c in second["captures"]] == [False, True]
        assert [file.name for file in folder.iterdir()] == ["torn.har"]
        (folder / "torn.har").unlink()
        sim.control(kill_refresh_tokens=True)
        left = own.m26("auth", "rebuild", "--renew")  # an access token and a session still work
        assert "refused" in left.stdout
        assert "the refresh token is no longer accepted" in left.stderr
        Vault.open(own.path).change("main", expired)
        ended = own.m26("auth", "rebuild", code=4)
        assert "no way to log in" in ended.stdout
        assert tokens_asked(sim)[400] == 1, "a dead token is not used again"
        landed = browse(address(own))
        assert paste(own, landed).returncode == 0
        own.m26("auth", "rebuild", "--renew")


def expired(held: Credentials) -> Credentials:
    """Hours later."""
    assert held.tokens is not None
    return replace(held, ticket=None, tokens=replace(held.tokens, expires_at=1.0))
