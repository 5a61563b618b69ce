"""What the vault knows of one account, as values; JSON in, JSON out, and the time each has left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import orjson

from m26.upstream.origin import Origins
from m26.upstream.secret import KEY_LENGTH, Secret

REFRESH_LIFE = 10 * 86_400.0
"""Seconds after which an unused refresh token is reported dead by public clients."""
SESSION_LIFE = 1_800.0
"""Seconds a session lives by public reports (19 to 30 min). A forecast: never a reason to renew."""
_TOKEN_REFUSALS = ("token_expired", "token_rejected")
_MAX_UNANSWERED = 2
"""A lost answer may have cost the refresh token: one more call, and no third."""
_MAX_UNDECIDED = 12
"""Calls after a lost answer that the token service may fail to judge, an hour apart."""
_DEAD = 6
"""Refusals in a row after which a bundle is not used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How one credential, or one command of a bundle, fared so far. Times in Unix seconds."""

    accepted: int = 0
    """Requests with it that were accepted."""
    accepted_at: float = 0.0
    """The last of them; 0 before the first."""
    refused: int = 0
    """Requests with it that were not accepted, for a reason that may be its own."""
    refused_at: float = 0.0
    reason: str = ""
    """Reason code of the last refusal."""

    @property
    def count(self) -> int:
        """All requests with it whose outcome is known."""
        return self.accepted + self.refused

    def accept(self, now: float) -> Self:
        """One more request was accepted."""
        return replace(self, accepted=self.accepted + 1, accepted_at=now)

    def refuse(self, reason: str, now: float) -> Self:
        """One more request was refused."""
        return replace(self, refused=self.refused + 1, refused_at=now, reason=reason)

    def plus(self, later: Use) -> Self:
        """Both together: what is on record, and what came since."""
        last = later if later.refused else self
        return replace(
            self,
            accepted=self.accepted + later.accepted,
            accepted_at=max(self.accepted_at, later.accepted_at),
            refused=self.refused + later.refused,
            refused_at=last.refused_at,
            reason=last.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """An OAuth pair; `refresh` is None when the capture did not hold one."""

    access: Secret
    refresh: Secret | None
    expires_at: float
    """Unix seconds at which the access token ends."""
    obtained_at: float

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self | None:
        """The pair that `dump` wrote; None where its access token could not be sent."""
        access = Secret.read(data["access"])
        if access is None:
            return None
        return cls(
            access=access,
            refresh=Secret.read(data["refresh"]),
            expires_at=data["expires_at"],
            obtained_at=data["obtained_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A session of the gateway."""

    session_key: Secret
    blaze_id: int | None
    """Persona of the session; None when a capture did not show it."""
    obtained_at: float

    @property
    def id(self) -> str:
        """Names the session without telling its key."""
        return self.session_key.id

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self | None:
        """The ticket that `dump` wrote; None where its key could not be sent."""
        key = Secret.read(data["session_key"], most=KEY_LENGTH)
        if key is None:
            return None
        return cls(
            session_key=key,
            blaze_id=data["blaze_id"],
            obtained_at=data["obtained_at"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Message-auth data of one captured Process request, good for any payload for a while."""

    auth_code: Secret
    auth_data: Secret
    auth_type: int
    device_id: Secret
    blaze_id: int | None
    captured_at: float
    failures: int = 0
    """Refusals of its signature in a row; the pool quarantines by them."""
    retry_at: float = 0.0
    """Unix seconds before which it is not used again."""
    uses: Mapping[str, Use] = field(default_factory=dict)
    """How it fared, by the command's wire name."""

    @property
    def id(self) -> str:
        """Names the bundle without telling its codes."""
        return self.auth_data.id

    @property
    def is_dead(self) -> bool:
        """Whether it is not used again."""
        return self.failures >= _DEAD

    @property
    def accepted_at(self) -> float:
        """When a request with it was accepted last, Unix seconds; 0 before the first."""
        return max((use.accepted_at for use in self.uses.values()), default=0.0)

    @property
    def used_at(self) -> float:
        """When it was used last, whatever came of it; 0 before the first time."""
        return max((self.accepted_at, *(use.refused_at for use in self.uses.values())))

    def is_usable(self, now: float, *, blaze_id: int | None = None) -> bool:
        """Whether it may be used now for a session of `blaze_id` (None: persona not known)."""
        same_persona = None in (self.blaze_id, blaze_id) or self.blaze_id == blaze_id
        return not self.is_dead and self.retry_at <= now and same_persona

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self | None:
        """The bundle that `dump` wrote; None where a part of it could not be sent."""
        secrets = {k: Secret.read(data[k]) for k in ("auth_code", "auth_data", "device_id")}
        if None in secrets.values():
            return None
        return cls(**{**data, **secrets, "uses": _uses(data)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything the vault holds of one account."""

    platform: str
    origins: Origins | None = None
    """The two servers that they were made for; None where they were kept before it was."""
    allowed: tuple[str, ...] = ()
    """Other origins that may have them, by the operator's word."""
    client_id: Secret | None = None
    client_secret: Secret | None = None
    device_id: Secret | None = None
    tokens: Tokens | None = None
    ticket: Ticket | None = None
    bundles: tuple[Bundle, ...] = ()
    next_request_id: int = 1
    """First request number that no process has reserved yet."""
    refreshes_unanswered: int = 0
    """Refresh calls begun with the present refresh token whose answer never arrived."""
    refreshes_undecided: int = 0
    """Refresh calls after a lost answer that were answered without a word on the token."""
    refresh_refused: str | None = None
    """Reason code with which the token service refused the present refresh token for good."""
    uses: Mapping[str, Use] = field(default_factory=dict)
    """How ``access_token`` (logins), ``refresh_token`` (refreshes), ``session`` and ``signing``
    (commands) fared so far, by that name."""
    retired_bundles: tuple[str, ...] = ()
    """Ids of bundles that were dropped: an old capture does not bring them back."""
    imported_pairs: tuple[str, ...] = ()
    """Ids of the access tokens that captures brought: once replaced, a pair is spent, and its
    capture does not bring it back."""
    bundle_life: float | None = None
    """Seconds for which the upstream accepts a bundle, learned from those that it stopped
    accepting; None while none has ended."""

    @property
    def refresh_dead(self) -> str | None:
        """Reason code why the refresh token is not to be used any more; None while it is."""
        undecided = self.refreshes_undecided if self.refreshes_unanswered else 0
        lost = self.refreshes_unanswered >= _MAX_UNANSWERED or undecided >= _MAX_UNDECIDED
        return "refresh_lost" if lost and self.refresh_refused is None else self.refresh_refused

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The credentials that `dump` wrote, but for what could not be sent."""
        secrets = {k: Secret.read(data[k]) for k in ("client_id", "client_secret", "device_id")}
        bundles = map(Bundle.from_json, data["bundles"])
        parts = {
            "tokens": Tokens.from_json(data["tokens"]) if data["tokens"] else None,
            "ticket": Ticket.from_json(data["ticket"]) if data["ticket"] else None,
            "bundles": tuple(bundle for bundle in bundles if bundle is not None),
            "uses": _uses(data),
            "origins": Origins(**data["origins"]) if data.get("origins") else None,
            "allowed": tuple(data.get("allowed", ())),
            "retired_bundles": tuple(data.get("retired_bundles", ())),
            "imported_pairs": tuple(data.get("imported_pairs", ())),
        }
        return cls(**{**data, **secrets, **parts})

    @property
    def access_refused(self) -> bool:
        """The gateway refused this access token when it was used last."""
        use, tokens = self.uses.get("access_token"), self.tokens
        dead = use is not None and use.reason in _TOKEN_REFUSALS
        return dead and tokens is not None and _refused_last(use, since=tokens.obtained_at)

    @property
    def session_refused(self) -> bool:
        """The gateway refused this session when it was used last."""
        ticket = self.ticket
        return ticket is not None and _refused_last(
            self.uses.get("session"), since=ticket.obtained_at
        )

    def seconds_left(self, now: float) -> dict[str, float | None]:
        """Life left in each credential; None where there is none or its end is not known."""
        tokens, ticket = self.tokens, self.ticket
        renews = tokens is not None and tokens.refresh is not None and self.refresh_dead is None
        ends = {
            "session": ticket.obtained_at + SESSION_LIFE if ticket else None,
            "access_token": tokens.expires_at if tokens else None,
            "refresh_token": tokens.obtained_at + REFRESH_LIFE if tokens and renews else None,
            "bundles": self._bundles_end(now),
        }
        over = {"session": self.session_refused, "access_token": self.access_refused}
        return {
            what: None if end is None else 0.0 if over.get(what) else max(0.0, end - now)
            for what, end in ends.items()
        }

    def _bundles_end(self, now: float) -> float | None:
        usable = [bundle.captured_at for bundle in self.bundles if bundle.is_usable(now)]
        if self.bundles and not usable:
            return now
        return max(usable) + self.bundle_life if usable and self.bundle_life is not None else None


def _refused_last(use: Use | None, *, since: float) -> bool:
    return use is not None and use.refused_at > max(since, use.accepted_at)


def dump(value: object) -> bytes:
    """JSON of credentials or a part, secrets included: for the vault and the cache alone."""
    return orjson.dumps(value, default=_reveal)


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(type(value).__name__)


def _uses(data: dict[str, Any]) -> dict[str, Use]:
    return {name: Use(**use) for name, use in data.get("uses", {}).items()}
