"""The failure table of docs/PROTOCOL.md as data: reason code in, verdict out."""

from __future__ import annotations

from dataclasses import replace

from m26.redaction import redact
from m26.upstream.verdicts import PASSING, Action, Verdict

_TRANSPORT = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
_TRANSIENT = (1.0, 2.0, 4.0, 8.0)
_LOGIN = (4.0, 8.0, 12.0, 16.0)
_MAINTENANCE = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_READ, _DETAIL_LENGTH = 1_000, 200
_UPSTREAM, _AUTH, _CONFIG, _STORAGE, _SHAPE = 5, 4, 3, 6, 7

_WAIT = "Nothing to do: m26 tries again by itself."
_KEPT = "The bytes are in the quarantine: `m26 rejects ls`."
_LOGIN_AGAIN = (
    "Log in again: `m26 auth login --account NAME`, or capture a login in the app and run "
    "`m26 auth import FILE --account NAME`."
)
_SIGNING = "or set [signing] in profile.toml and restart m26."
_RESUME = "When it is dealt with: `m26 resume`."


def _rule(action: Action, reason: str, message: str, advice: str, **more: object) -> Verdict:
    more.setdefault("exit_code", _UPSTREAM)
    return Verdict(action=action, reason=reason, message=message, advice=advice, **more)  # type: ignore[arg-type]


def _retry(reason: str, message: str, delays: tuple[float, ...], **more: object) -> Verdict:
    return _rule(Action.RETRY, reason, message, _WAIT, delays=delays, **more)


def _pause(reason: str, message: str, pause: float, *, advice: str, **more: object) -> Verdict:
    return _rule(Action.PAUSE, reason, message, advice, pause=pause, **more)


def _stop(reason: str, message: str, advice: str, **more: object) -> Verdict:
    return _rule(Action.STOP, reason, message, advice, **more)


def _own(reason: str, message: str, advice: str, exit_code: int = _AUTH) -> Verdict:
    """A STOP for what concerns one account's credentials alone."""
    return _stop(reason, message, advice, exit_code=exit_code, scope="account")


OK = Verdict(action=Action.OK, reason="ok", message="")

_ALL = (
    OK,
    # the transfer
    _retry("unreachable", "the gateway cannot be reached", _TRANSPORT),
    _retry("cut", "a reply broke off before its end", _TRANSPORT),
    _retry("too_slow", "a reply took longer than 20 s", _TRANSPORT),
    _retry("encoding", "a reply came in an encoding nobody asked for", _TRANSPORT),
    _retry("empty_reply", "the gateway answered with nothing", _TRANSIENT, pause=_MINUTE),
    _pause("too_large", "a reply was larger than 16 MiB", _MINUTE, advice=_KEPT, quarantine=True),
    _stop(
        "certificate",
        "the gateway's certificate is not valid: someone may be intercepting",
        f"Check the network, proxies and the clock; m26 never goes on unverified. {_RESUME}",
    ),
    _pause(
        "unsendable",
        "a request cannot be built",
        _MINUTE,
        advice="Check headers and addresses of the profile; a new login brings new credentials.",
        longer=(300, 1_800),
        exit_code=_CONFIG,
    ),
    # the edge and the gateway
    _pause(
        "edge_blocked",
        "the edge refuses us (HTTP 403)",
        900,
        advice="Nothing now; should it come again within a day, m26 stops.",
        then_stop=True,
        memory=_DAY,
        forgiving=False,
    ),
    _rule(
        Action.NEW_TOKEN,
        "token_rejected",
        "the gateway rejects our token",
        _LOGIN_AGAIN,
        then_stop=True,
        exit_code=_AUTH,
        scope="account",
    ),
    _pause(
        "wrong_product",
        "the gateway does not know our product id",
        _HOUR,
        advice="Check year, wal.product_name and wal.blaze_id of the profile, and the platform.",
        exit_code=_UPSTREAM,
    ),
    _pause(
        "rate_limited",
        "the gateway says we ask too fast",
        _MINUTE,
        advice="Nothing to do: m26 waits and halves its rate for an hour.",
        longer=(120, 240, 480, 960, 1_800),
        slow_down=_HOUR,
    ),
    _pause(
        "soft_ban",
        "the gateway turns us away for a while",
        1_800,
        advice="Nothing to do: m26 waits, longer each time. A smaller budget helps.",
        longer=(7_200, 43_200),
        memory=2 * _DAY,
        forgiving=False,
    ),
    _stop("locked", "the feature, account or market is locked", f"Look in the app. {_RESUME}"),
    _stop(
        "captcha",
        "the upstream wants a captcha solved",
        f"Solve it in the app, play on as usual for a while. {_RESUME}",
    ),
    _retry("maintenance", "the gateway is down or under maintenance", _MAINTENANCE),
    # Blaze errors
    _retry(PASSING, "the upstream had a passing failure", _TRANSIENT, pause=_MINUTE),
    _retry(
        "login_limited",
        "the login is refused: too many logins, or another session is open",
        _LOGIN,
        pause=600,
    ),
    _rule(
        Action.NEW_SESSION,
        "session_rejected",
        "the session has ended",
        _WAIT,
        pause=600,
        memory=600,
    ),
    _rule(
        Action.NEW_TOKEN,
        "token_expired",
        "the access token has ended",
        _LOGIN_AGAIN,
        then_stop=True,
        exit_code=_AUTH,
        scope="account",
    ),
    _retry(
        "signature_rejected",
        "the upstream does not accept the message's signature",
        (1.0, 2.0),
        pause=_MINUTE,
        exit_code=_AUTH,
        quarantine=True,
    ),
    _pause(
        "duplicate_login",
        "the account is in use elsewhere",
        900,
        advice="You are playing, or a second copy runs: m26 never fights for the session.",
    ),
    _stop(
        "banned",
        "the account is restricted",
        f"Ask EA's support. {_RESUME}",
        exit_code=_AUTH,
    ),
    _pause(
        "unknown_error",
        "the upstream sent an error that m26 does not know",
        _MINUTE,
        advice=_KEPT,
        quarantine=True,
    ),
    # success that is none
    _rule(
        Action.NEW_SESSION,
        "ui_error",
        "the auction house refused to answer",
        "If it stays: open Ultimate Team in the app once.",
        pause=300,
        memory=_HOUR,
        forgiving=False,
    ),
    _stop(
        "stale_market",
        "the market served is an old one: newest listing over 30 days old",
        f"Check year and wal.product_name of the profile. {_RESUME}",
        quarantine=True,
    ),
    *(
        _pause(reason, message, _MINUTE, advice=_KEPT, quarantine=True, exit_code=code)
        for reason, message, code in (
            ("not_success", "the upstream says its reply is no success", _UPSTREAM),
            ("malformed", "the reply is not readable JSON", _SHAPE),
            ("unknown_shape", "the reply is JSON of an unknown shape", _SHAPE),
            ("unexpected_html", "the gateway sent a web page", _UPSTREAM),
            ("unexpected_xml", "the gateway sent XML", _UPSTREAM),
            ("unexpected_status", "the gateway sent an unexpected HTTP status", _UPSTREAM),
        )
    ),
    # tokens and credentials
    _retry("token_unavailable", "the token service failed; the old pair is kept", _MAINTENANCE),
    _retry("login_unreadable", "the login was answered without a session", _LOGIN, pause=600),
    _own("login_again", "the refresh token is no longer accepted", _LOGIN_AGAIN),
    _own(
        "refresh_lost",
        "the answers to two token refreshes were lost; a third would only be refused",
        _LOGIN_AGAIN,
    ),
    _own(
        "client_rejected",
        "the token service refuses our request",
        f"Check oauth.client_id and oauth.client_secret. {_LOGIN_AGAIN}",
    ),
    _own("no_credentials", "there is no token that could open a session", _LOGIN_AGAIN),
    _own(
        "no_client",
        "oauth.client_id or oauth.client_secret is missing, so tokens cannot be refreshed",
        "Import a capture that begins with the login, or set both in profile.toml and restart m26.",
        _CONFIG,
    ),
    _pause(
        "vault_unusable",
        "the vault cannot be read or written, so nothing is renewed",
        _MINUTE,
        advice="Free space or correct the permissions in the home; m26 tries again by itself.",
        exit_code=_STORAGE,
    ),
    _pause(
        "bundles_resting",
        "every captured bundle was refused lately",
        900,
        advice=f"Import a fresh capture with an auction search, {_SIGNING}",
        exit_code=_AUTH,
    ),
    _own(
        "no_signature",
        "no request can be signed: signing constants are missing and no captured bundle is usable",
        f"Import a capture with an auction search, {_SIGNING}",
        _CONFIG,
    ),
)

RULES: dict[str, Verdict] = {rule.reason: rule for rule in _ALL}
"""Every reason code and what it leads to."""


def verdict(reason: str, detail: str | None = None, **changes: object) -> Verdict:
    """The rule of `reason`, with what the upstream said appended to its message."""
    rule = RULES[reason]
    if detail:
        shown = " ".join(redact(detail[:_READ]).split())[:_DETAIL_LENGTH]
        changes["message"] = f"{rule.message}: {shown}"
    return replace(rule, **changes) if changes else rule  # type: ignore[arg-type]
