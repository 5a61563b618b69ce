from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from tests.support.gateway import (
    NOW,
    Upstream,
    bundle,
    credentials,
    form,
    stored,
    token_answer,
    tokens,
)

from m26.auth.credentials import Credentials, Use
from m26.auth.login import Grant, Login, prepare, redeem
from m26.auth.redirect import address, read_redirect
from m26.auth.vault import Vault
from m26.errors import AuthError, M26Error, TransportError, UsageError
from m26.upstream.client import GatewayClient
from m26.upstream.profile import Profile
from m26.upstream.secret import Secret
from m26.upstream.verdicts import RefusedError, UnavailableError

pytestmark = pytest.mark.anyio
SIM, REAL = Profile.load("sim"), Profile.load("madden26")
CODE = "CANARY-OAUTH-CODE-41"
WHO = Login(
    account="main",
    platform="sim",
    client_id=Secret("CANARY-CLIENT-ID"),
    client_secret=Secret("CANARY-CLIENT-SECRET"),
)


def query(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def asked(vault: Vault, who: Login = WHO, *, now: float = NOW) -> dict[str, str]:
    url = address(who, profile=SIM, base_url="https://token.invalid/", vault=vault, now=now)
    assert url.startswith("https://token.invalid/connect/auth?")
    return query(url)


def landed(**said: str) -> str:
    return f"{SIM.oauth.redirect_uri}?{urlencode(said)}"


def code_of(pasted: str, home: Path, *, who: Login = WHO, now: float = NOW) -> str:
    return read_redirect(pasted, who, profile=SIM, vault=Vault.open(home), now=now).code.reveal()


def test_the_address_asks_as_the_app_does(tmp_path: Path) -> None:
    said = asked(Vault.open(tmp_path))
    state = said.pop("state")
    assert said == {
        "hide_create": "true",
        "release_type": "prod",
        "response_type": "code",
        "redirect_uri": SIM.oauth.redirect_uri,
        "client_id": "CANARY-CLIENT-ID",
        "authentication_source": SIM.oauth.authentication_source,
    }
    assert "main" not in state
    keyed = replace(SIM, oauth=replace(SIM.oauth, machine_profile_key="444d"))
    url = address(
        WHO, profile=keyed, base_url="https://x.invalid", vault=Vault.open(tmp_path), now=0
    )
    assert query(url)["machineProfileKey"] == "444d"


def test_the_code_is_found_in_whatever_is_pasted(tmp_path: Path) -> None:
    state = asked(Vault.open(tmp_path))["state"]
    whole = landed(code=CODE, state=state)
    for pasted in (
        whole,
        f"  {whole[:40]}\n{whole[40:]}\n",
        whole.removeprefix("http://"),
        whole.partition("?")[2],
        whole.replace("/success?", "/success/?"),
        landed(code=CODE),
        CODE,
        f"{CODE}\n",
    ):
        assert code_of(pasted, tmp_path) == CODE


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("", "no address was given"),
        ("\n", "no address was given"),
        (landed(scope="x"), "holds no code"),
        (SIM.oauth.redirect_uri, "holds no code"),
        (f"https://evil.invalid/success?code={CODE}", "an address of evil.invalid"),
        (f"http://127.0.0.1/other?code={CODE}", "an address of 127.0.0.1"),
        (f"https://127.0.0.1/success?code={CODE}", "an address of 127.0.0.1"),
        (f"http://127.0.0.1:99/success?code={CODE}", "an address of 127.0.0.1"),
        (f"http://x@127.0.0.1/success?code={CODE}", "an address of 127.0.0.1"),
        (f"http://[/success?code={CODE}", "no address"),
        ("<b>", "neither an address nor a code"),
        (landed(code=CODE, state="CANARY-STATE"), "another login"),
    ],
)
def test_what_is_no_redirect_of_ours_is_told_without_its_code(
    tmp_path: Path, pasted: str, says: str
) -> None:
    asked(Vault.open(tmp_path))
    with pytest.raises(UsageError, match=says) as told:
        code_of(pasted, tmp_path)
    assert "CANARY" not in told.value.message + told.value.hint
    assert told.value.hint


def test_a_login_that_was_refused_is_told_with_its_reason(tmp_path: Path) -> None:
    pasted = landed(error="access_denied", error_description="not today")
    with pytest.raises(AuthError, match="refused: access_denied: not today"):
        code_of(pasted, tmp_path)


def test_a_state_is_good_for_its_account_for_an_hour_in_any_process(tmp_path: Path) -> None:
    pasted = landed(code=CODE, state=asked(Vault.open(tmp_path))["state"])
    assert code_of(pasted, tmp_path, now=NOW + 3_000) == CODE
    with pytest.raises(UsageError, match="another login"):
        code_of(pasted, tmp_path, now=NOW + 4_000)
    with pytest.raises(UsageError, match="another login"):
        code_of(pasted, tmp_path, who=replace(WHO, account="other"))
    asked(Vault.open(tmp_path / "else"))
    with pytest.raises(UsageError, match="another login"):
        code_of(pasted, tmp_path / "else")


def test_client_and_platform_are_found_before_anything_is_asked(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path)
    with pytest.raises(RefusedError) as refused:
        prepare(vault, account="main", platform="ps5", profile=REAL)
    assert (refused.value.exit_code, refused.value.verdict.reason) == (3, "no_client")
    with pytest.raises(UsageError, match="is new, so its platform is needed"):
        prepare(vault, account="main", platform=None, profile=SIM)
    with pytest.raises(UsageError, match="no platform 'nes'"):
        prepare(vault, account="main", platform="nes", profile=REAL)
    with pytest.raises(M26Error, match="no account name"):
        prepare(vault, account="../x", platform="sim", profile=SIM)
    known = {"client_id": Secret("CANARY-ID"), "client_secret": Secret("CANARY-SECRET")}
    stored(tmp_path, Credentials(platform="pc", **known))
    for account, platform in (("main", None), ("main", "pc"), ("second", "xbsx")):
        who = prepare(vault, account=account, platform=platform, profile=REAL)
        assert (who.client_id, who.client_secret) == tuple(known.values())
        assert who.platform == (platform or "pc")
    with pytest.raises(UsageError, match="is of platform pc, not ps5"):
        prepare(vault, account="main", platform="ps5", profile=REAL)
    with pytest.raises(RefusedError):  # another upstream's client is nobody's here
        prepare(vault, account="new", platform="xone", profile=replace(REAL, platforms=("xone",)))
    assert prepare(vault, account="s", platform="sim", profile=SIM).client_id == Secret(
        SIM.oauth.client_id
    )


async def log_in(
    home: Path, upstream: Upstream, *, vault: Vault | None = None, patience: float = 30.0
) -> tuple[Credentials, list[str]]:
    spent: list[str] = []

    async def spend(name: str) -> None:
        assert not upstream.asked
        spent.append(name)

    async with GatewayClient(profile=SIM, platform="sim", transport=upstream.transport()) as client:
        held = await redeem(
            Grant(code=Secret(CODE)),
            WHO,
            profile=SIM,
            client=client,
            vault=vault or Vault.open(home),
            spend=spend,
            clock=lambda: NOW,
            patience=patience,
        )
    return held, spent


async def test_a_code_becomes_a_saved_pair_for_one_request_of_the_budget(tmp_path: Path) -> None:
    upstream = Upstream()
    held, spent = await log_in(tmp_path / "new", upstream)
    assert spent == ["token"]
    assert form(upstream.asked[0][1]) == {
        "grant_type": "authorization_code",
        "client_id": "CANARY-CLIENT-ID",
        "client_secret": "CANARY-CLIENT-SECRET",
        "code": CODE,
        "redirect_uri": SIM.oauth.redirect_uri,
        "release_type": "prod",
        "authentication_source": SIM.oauth.authentication_source,
        "token_format": "JWS",
    }
    assert held == Vault.open(tmp_path / "new").read("main")
    assert (held.tokens, held.platform) == (tokens(2), "sim")
    assert held.client_id == WHO.client_id


async def test_a_login_without_a_refresh_token_is_good_for_as_long_as_its_access_token(
    tmp_path: Path,
) -> None:
    stored(tmp_path, credentials())  # whose refresh token may be another person's
    held, _ = await log_in(tmp_path, Upstream(token=[token_answer(refresh_token=None)]))
    assert held.tokens == replace(tokens(2), refresh=None)
    assert held == Vault.open(tmp_path).read("main")


async def test_a_new_login_ends_what_was_wrong_with_the_old_one(tmp_path: Path) -> None:
    stored(
        tmp_path,
        credentials(
            refresh_refused="login_again",
            refreshes_unanswered=2,
            bundles=(bundle(),),
            uses={"refresh_token": Use(refused=1), "signing": Use(accepted=3)},
        ),
    )
    held, _ = await log_in(tmp_path, Upstream())
    assert held.refresh_dead is None
    assert held.refreshes_unanswered == 0
    assert held.tokens == tokens(2)
    assert held.ticket is None
    assert (held.bundles, held.device_id) == ((bundle(),), Secret("CANARY-DEVICE"))
    assert held.uses == {"signing": Use(accepted=3)}


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (httpx.Response(400, json={"error": "invalid_grant"}), AuthError, 4),
        (httpx.Response(400, json={"error": "invalid_client"}), RefusedError, 4),
        (httpx.Response(503), UnavailableError, 5),
        (token_answer(access_token=None), UnavailableError, 5),
        (httpx.ConnectError("no"), TransportError, 5),
        (httpx.ReadError("reset"), TransportError, 5),
    ],
)
async def test_a_login_that_fails_leaves_the_vault_as_it_was(
    tmp_path: Path, answer: httpx.Response | Exception, kind: type[M26Error], code: int
) -> None:
    vault = stored(tmp_path, credentials(refresh_refused="login_again"))
    before = (tmp_path / "vault.bin").read_bytes()
    upstream = Upstream(token=[answer])
    with pytest.raises(kind) as failed:
        await log_in(tmp_path, upstream, vault=vault)
    assert failed.value.exit_code == code
    assert failed.value.hint
    assert "CANARY" not in f"{failed.value} {failed.value.hint}"
    assert upstream.calls() == ["token"]
    assert (tmp_path / "vault.bin").read_bytes() == before


async def test_a_code_does_not_wait_for_a_renewal_that_waits_for_its_slot(tmp_path: Path) -> None:
    vault, upstream = stored(tmp_path, credentials()), Upstream()
    async with vault.renewing("main"):
        held, _ = await log_in(tmp_path, upstream, patience=0.05)
    assert upstream.calls() == ["token"]
    assert held.tokens == tokens(2)
