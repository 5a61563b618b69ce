"""The OAuth login: an account that may log in goes out, a code comes in, tokens are kept."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

import anyio
import structlog
from anyio import to_thread

from m26.auth.credentials import Credentials, Tokens
from m26.auth.origins import admit, admit_new, asked, refused
from m26.auth.vault import Vault, check_name
from m26.config import Upstream
from m26.errors import AuthError, TransportError, UsageError
from m26.upstream.answers import TokenAnswer, read_tokens
from m26.upstream.client import GatewayClient
from m26.upstream.commands import code_form
from m26.upstream.origin import Origins
from m26.upstream.profile import Profile
from m26.upstream.rules import verdict
from m26.upstream.secret import Secret
from m26.upstream.verdicts import Action, RefusedError, UnavailableError, Verdict

AGAIN: Final = "Run `m26 auth login` again: a code is good once and for some minutes."

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a login ends at."""

    code: Secret
    proof: Secret | None = None
    """Shows that we are who asked for it (RFC 7636); None where the flow takes none."""


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


async def redeem(
    grant: Grant,
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
        grant: of the login.
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
        profile,
        client_id=login.client_id,
        client_secret=login.client_secret,
        code=grant.code,
        proof=grant.proof,
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
                    f"{error.message}; the login is not done", hint=AGAIN
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
        return AuthError("the token service does not accept this code", hint=AGAIN)
    kind = RefusedError if answer.action is Action.STOP else UnavailableError
    return kind(answer)


def _other_platform(account: str, credentials: Credentials, platform: str | None) -> UsageError:
    return UsageError(
        f"account {account!r} is of platform {credentials.platform}, not {platform}",
        hint="Give each platform its own account: --account NAME",
    )
