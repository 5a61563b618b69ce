"""The OAuth login: an address to open goes out, the pasted redirect comes in, tokens are kept."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

import anyio
import orjson
import structlog
from anyio import to_thread

from m26.auth.credentials import Credentials, Tokens
from m26.auth.origins import admit, admit_new, asked, refused
from m26.auth.vault import Vault, check_name
from m26.config import Upstream
from m26.errors import AuthError, TransportError, UsageError
from m26.redaction import redact
from m26.upstream.answers import TokenAnswer, read_tokens
from m26.upstream.client import GatewayClient
from m26.upstream.commands import authorize_url, code_form
from m26.upstream.origin import Origins
from m26.upstream.profile import Profile
from m26.upstream.rules import verdict
from m26.upstream.secret import Secret
from m26.upstream.verdicts import Action, RefusedError, UnavailableError, Verdict

_STATE_LIFE = 3_600.0
"""Seconds that a person may take to log in."""
_CODE = re.compile(r"[\w.~+/=%-]{4,2048}")
_AGAIN = "Run `m26 auth login` again: a code is good once and for some minutes."

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who logs in: an account, its platform, and the client on whose behalf."""

    account: str
    platform: str
    client_id: Secret
    client_secret: Secret
    origins: Origins | None = None
    """The servers that the tokens of a new account are for."""


def prepare(
    vault: Vault,
    *,
    account: str,
    platform: str | None,
    profile: Profile,
    to: Origins | None = None,
    allow: Collection[str] = (),
) -> Login:
    """Find out for whom the login is, before anything is asked.

    The client id and secret are the account's own, else the profile's, else those of another
    account of this profile and these servers: they belong to the app, not to a person.

    Args:
        vault: accounts so far.
        account: the one that logs in; a new name adds one.
        platform: of a new account.
        profile: of the upstream.
        to: whom the login goes to; None: the profile's servers.
        allow: hosts that may have credentials, by the operator's word.

    Raises:
        ConfigError: the login would go to servers that it is not for.
        UsageError: the platform is missing, unknown, or another one than the account's.
        RefusedError: client id and secret are not known (exit code 3).
    """
    check_name(account)
    others = {name: vault.read(name) for name in vault.accounts()}
    credentials = others.pop(account, None)
    if credentials is not None and platform not in (None, credentials.platform):
        raise _other_platform(account, credentials, platform)
    platform = credentials.platform if credentials else platform
    if platform is None:
        raise UsageError(
            f"account {account!r} is new, so its platform is needed",
            hint=f"Add --platform, one of: {', '.join(profile.platforms)}",
        )
    if platform not in profile.platforms:
        raise UsageError(
            f"profile {profile.name!r} has no platform {platform!r}",
            hint=f"Its platforms: {', '.join(profile.platforms)}. Another profile: M26_PROFILE.",
        )
    to = to or asked(profile, Upstream())
    if credentials is not None:
        admit(vault, account, to, allow=allow)
    else:
        admit_new(account, platform, to, allow=allow)
    own, oauth = credentials or Credentials(platform=platform), profile.oauth
    pairs: list[tuple[Secret | None, Secret | None]] = [
        (
            own.client_id or Secret(oauth.client_id),
            own.client_secret or Secret(oauth.client_secret),
        )
    ]
    pairs += [
        (other.client_id, other.client_secret)
        for other in others.values()
        if other.platform in profile.platforms and not refused(other, to)
    ]
    for client_id, client_secret in pairs:
        if client_id and client_secret:
            return Login(
                account=account,
                platform=platform,
                origins=to,
                client_id=client_id,
                client_secret=client_secret,
            )
    raise RefusedError(verdict("no_client"))


def address(login: Login, *, profile: Profile, base_url: str, vault: Vault, now: float) -> str:
    """The address to open in a browser; what it ends at goes to `read_redirect`."""
    # Encrypted rather than remembered: whoever brings it back may be another process of this home.
    state = vault.encrypt(orjson.dumps({"account": login.account, "at": now})).decode("ascii")
    return authorize_url(profile, base_url=base_url, client_id=login.client_id, state=state)


def read_redirect(
    pasted: str, login: Login, *, profile: Profile, vault: Vault, now: float
) -> Secret:
    """The code of a pasted address, or of a code pasted by itself. No error shows either.

    Args:
        pasted: what the person brought back.
        login: what `address` was made for.
        profile: names the address to land on.
        vault: made the state.
        now: Unix seconds.

    Raises:
        UsageError: it is not the address that the login ends at, or of another login.
        AuthError: the login was refused, and the address says so.
    """
    text = "".join(pasted.split())  # a terminal may have wrapped it
    if not text:
        raise UsageError("no address was given", hint=_where(profile))
    if "://" not in text and "?" not in text and "=" not in text[:6]:
        if not _CODE.fullmatch(text):
            raise UsageError("this is neither an address nor a code", hint=_where(profile))
        return Secret(text)
    wanted = urlsplit(profile.oauth.redirect_uri)
    if "://" not in text:  # some browsers do not show it
        text = f"{wanted.scheme}://{text}" if "?" in text else f"{wanted.geturl()}?{text}"
    try:
        given = urlsplit(text)
        landed = given.scheme, given.netloc.lower(), given.path.rstrip("/")
    except ValueError:
        raise UsageError("this is no address", hint=_where(profile)) from None
    if landed != (wanted.scheme, wanted.netloc.lower(), wanted.path.rstrip("/")):
        raise UsageError(
            f"this is an address of {given.hostname or 'nowhere'}, not the one a login ends at",
            hint=_where(profile),
        )
    said = {name: values[0] for name, values in parse_qs(given.query).items()}
    code = Secret(said.get("code", ""))
    if "error" in said:
        detail = ": ".join(said[key] for key in ("error", "error_description") if key in said)
        raise AuthError(f"the login was refused: {redact(detail[:1_000])[:200]}", hint=_AGAIN)
    # A missing one is accepted, like a bare code: a person pasted it, not a foreign page.
    if "state" in said and not _is_ours(said["state"], login, vault, now):
        raise UsageError(
            "this address belongs to another login: its state is not the one we gave",
            hint=_AGAIN,
        )
    if not code:
        raise UsageError("this address holds no code", hint=_where(profile))
    return code


async def redeem(
    code: Secret,
    login: Login,
    *,
    profile: Profile,
    client: GatewayClient,
    vault: Vault,
    spend: Callable[[str], Awaitable[None]],
    clock: Callable[[], float],
    patience: float = 30.0,
) -> Credentials:
    """Trade the code for a token pair, which is in the vault before anything else happens.

    A renewal that is under way ends first: it must not replace the new pair. One that
    only waits for its slot of the budget may take an hour, and a code lives for minutes.

    Args:
        code: of the login.
        login: who logs in.
        profile: of the upstream.
        client: carries the call.
        vault: gets the pair.
        spend: waits for a slot of the account's budget.
        clock: Unix seconds.
        patience: seconds of the machine to wait for another process that renews.

    Raises:
        AuthError: the token service refuses the code or the client.
        UnavailableError: the token service failed; no pair was given.
        TransportError: no whole answer came; the code may be spent.
        StorageError: the pair could not be saved, so the login is lost.
    """
    fields = code_form(
        profile, client_id=login.client_id, client_secret=login.client_secret, code=code
    )
    await spend("token")
    async with contextlib.AsyncExitStack() as stack:
        with anyio.move_on_after(patience):
            await stack.enter_async_context(vault.renewing(login.account))
        with anyio.CancelScope(shield=True):  # a pair that was given must be saved
            try:
                answer = read_tokens(await client.token(fields))
            except TransportError as error:
                raise TransportError(
                    f"{error.message}; the login is not done", hint=_AGAIN
                ) from None
            if not isinstance(answer, TokenAnswer):
                raise _refusal(answer)
            now = clock()
            tokens = Tokens(
                access=answer.access_token,
                refresh=answer.refresh_token,
                expires_at=now + answer.expires_in,
                obtained_at=now,
            )
            credentials = await to_thread.run_sync(
                vault.update,
                login.account,
                lambda credentials: _laid_over(credentials, login, tokens),
            )
    _log.info("auth.logged_in", account=login.account)
    return credentials


def _laid_over(credentials: Credentials | None, login: Login, tokens: Tokens) -> Credentials:
    base = credentials or Credentials(platform=login.platform, origins=login.origins)
    if base.platform != login.platform:
        raise _other_platform(login.account, base, login.platform)
    return replace(
        base,
        client_id=login.client_id,
        client_secret=login.client_secret,
        tokens=tokens,
        ticket=None,  # the person may have logged in as somebody else
        refresh_refused=None,
        refreshes_unanswered=0,
        refreshes_undecided=0,
        uses={name: use for name, use in base.uses.items() if name == "signing"},
    )


def _refusal(answer: Verdict) -> Exception:
    if answer.reason == "login_again":  # invalid_grant: here it is about the code
        return AuthError("the token service does not accept this code", hint=_AGAIN)
    kind = RefusedError if answer.action is Action.STOP else UnavailableError
    return kind(answer)


def _is_ours(state: str, login: Login, vault: Vault, now: float) -> bool:
    plain = vault.decrypt(state.encode("utf-8", "replace"))
    content = orjson.loads(plain) if plain else {}
    young = abs(now - content.get("at", 0.0)) < _STATE_LIFE
    return content.get("account") == login.account and young


def _other_platform(account: str, credentials: Credentials, platform: str | None) -> UsageError:
    return UsageError(
        f"account {account!r} is of platform {credentials.platform}, not {platform}",
        hint="Give each platform its own account: --account NAME",
    )


def _where(profile: Profile) -> str:
    return (
        "Paste the whole address of the page you land on after the login; it begins with "
        f"{profile.oauth.redirect_uri}"
    )
