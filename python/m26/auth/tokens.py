"""Token refresh: the old pair goes out, the new one is in the vault before anyone uses it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import structlog

from m26.auth.credentials import Credentials, Tokens, Use
from m26.auth.entry import Change, Entry
from m26.auth.vault import Vault
from m26.errors import TransportError
from m26.upstream.answers import TokenAnswer, read_tokens
from m26.upstream.client import GatewayClient
from m26.upstream.commands import refresh_form
from m26.upstream.profile import Profile
from m26.upstream.replies import classify_transport
from m26.upstream.rules import verdict
from m26.upstream.secret import Secret
from m26.upstream.verdicts import Action, RefusedError, UnavailableError, Verdict

_NEVER_SENT = ("unreachable", "certificate", "unsendable")
_FINAL = "login_again"
"""The token itself is refused; other refusals end with a corrected profile and `m26 resume`."""
_PROBE = 3_600.0
"""Seconds between calls after a lost answer, as long as none is answered with a judgement."""
_TOKEN = "refresh_token"  # noqa: S105 - its name among the uses

_log = structlog.get_logger(__name__)


async def refresh(
    *,
    account: str,
    replaced: Tokens,
    vault: Vault,
    client: GatewayClient,
    profile: Profile,
    spend: Callable[[str], Awaitable[None]],
    clock: Callable[[], float],
) -> Tokens:
    """`renew` once, with the lock of the account's renewal.

    Raises:
        AuthError: the vault has no such account or cannot be used; or as `renew` says.
    """
    entry = Entry(vault, account, clock=clock)
    try:
        async with entry.renewing():
            tokens = await renew(
                entry, replaced, client=client, profile=profile, spend=spend, clock=clock
            )
    finally:
        await entry.aclose()
    return tokens


async def renew(
    entry: Entry,
    replaced: Tokens,
    *,
    client: GatewayClient,
    profile: Profile,
    spend: Callable[[str], Awaitable[None]],
    clock: Callable[[], float],
) -> Tokens:
    """Get a new pair in place of `replaced`, or the one that another process got meanwhile.

    The caller holds the account's renewal. One call is made at the most. That it is under way is
    written down before it leaves, so that even a kill leaves a trace; the new pair is written down
    before it is returned. Where that fails it is kept, saved as soon as it can be, and not
    renewed before.

    Raises:
        RefusedError: no refresh is possible until the operator logs in again.
        UnavailableError: the token service failed, and the old pair stays; or the vault cannot be
            written now.
        TransportError: no whole answer came.
    """
    credentials = await entry.read()
    if credentials.tokens is None or credentials.tokens.access == replaced.access:
        form(credentials, profile)  # refuse before a budget slot is spent
        _wait_for_probe(credentials, now=clock())
        await spend("token")
        credentials = await entry.read()  # a capture may have been imported while we waited
    if credentials.tokens is not None and credentials.tokens.access != replaced.access:
        return credentials.tokens
    fields = form(credentials, profile)
    # A cancelled refresh could lose the only valid token: it ends within the call's deadline.
    with anyio.CancelScope(shield=True):
        tokens = await _call(entry, credentials, fields, client, clock)
    return tokens  # noqa: RET504 - a scope may swallow an exception, as far as a checker can see


def form(credentials: Credentials, profile: Profile) -> dict[str, str]:
    """Fields of the refresh call.

    Raises:
        RefusedError: something is missing, or the token service would only refuse.
    """
    if credentials.tokens is None or credentials.tokens.refresh is None:
        raise RefusedError(verdict("no_credentials"))
    if credentials.refresh_dead is not None:
        raise RefusedError(verdict(credentials.refresh_dead))
    client_id = credentials.client_id or Secret(profile.oauth.client_id)
    client_secret = credentials.client_secret or Secret(profile.oauth.client_secret)
    if not client_id or not client_secret:
        raise RefusedError(verdict("no_client"))
    return refresh_form(
        profile,
        client_id=client_id,
        client_secret=client_secret,
        refresh_token=credentials.tokens.refresh,
    )


def _wait_for_probe(credentials: Credentials, *, now: float) -> None:
    """After a lost answer the token may be spent: a service that is down is asked once an hour."""
    if credentials.refreshes_unanswered and credentials.refreshes_undecided:
        left = credentials.uses.get(_TOKEN, Use()).refused_at + _PROBE - now
        if left > 0:
            detail = f"an answer was lost before, so it is asked once an hour: in {left:.0f} s"
            raise UnavailableError(verdict("token_unavailable", detail))


async def _call(
    entry: Entry,
    credentials: Credentials,
    fields: dict[str, str],
    client: GatewayClient,
    clock: Callable[[], float],
) -> Tokens:
    sent, before = credentials.tokens, credentials.refreshes_unanswered
    assert sent is not None  # `form` saw them
    undecided = credentials.refreshes_undecided if before else 0
    marked = await entry.change(
        _of(sent, refreshes_unanswered=before + 1, refreshes_undecided=undecided)
    )
    if marked.tokens != sent and marked.tokens is not None:
        return marked.tokens  # imported just now
    try:
        reply = await client.token(fields)
    except TransportError as error:
        failure = classify_transport(error)
        lost = before if failure.reason in _NEVER_SENT else before + 1
        await _note(entry, failure, clock(), _of(sent, refreshes_unanswered=lost))
        raise
    answer = read_tokens(reply)
    now = clock()
    if isinstance(answer, TokenAnswer):
        tokens = Tokens(
            access=answer.access_token,
            refresh=answer.refresh_token or sent.refresh,
            expires_at=now + answer.expires_in,
            obtained_at=now,
        )
        entry.tally.accept(_TOKEN, now)
        await entry.settle(_pair(sent, tokens))
        _log.info(
            "auth.tokens_renewed",
            account=entry.account,
            seconds=round(answer.expires_in),
            refresh_token="kept" if tokens.refresh == sent.refresh else "new",
        )
        return tokens
    if answer.action is Action.STOP:
        refused = answer.reason if answer.reason == _FINAL else None
        await _note(
            entry, answer, now, _of(sent, refresh_refused=refused, refreshes_unanswered=before)
        )
        raise RefusedError(answer)
    undecided += before > 0
    await _note(
        entry, answer, now, _of(sent, refreshes_unanswered=before, refreshes_undecided=undecided)
    )
    raise UnavailableError(answer)


async def _note(entry: Entry, verdict: Verdict, now: float, change: Change) -> None:
    """Keep what a failed call leaves behind; only the call's own failure is raised."""
    entry.tally.refuse(_TOKEN, verdict.reason, now)
    with contextlib.suppress(RefusedError, UnavailableError):  # then it is written later
        await entry.settle(change)


def _of(sent: Tokens, **changes: Any) -> Change:  # noqa: ANN401 - fields of Credentials
    """A change of what is known of one pair: of another one it says nothing."""
    return lambda credentials: (
        replace(credentials, **changes) if credentials.tokens == sent else credentials
    )


def _pair(sent: Tokens, new: Tokens) -> Change:
    """The new pair in place of the one sent; one that was imported meanwhile may be newer still."""

    def change(credentials: Credentials) -> Credentials:
        other = credentials.tokens if credentials.tokens != sent else None
        if other is not None and other.obtained_at > new.obtained_at:
            return credentials
        return replace(
            credentials,
            tokens=new,
            refreshes_unanswered=0,
            refreshes_undecided=0,
            refresh_refused=None,
        )

    return change
