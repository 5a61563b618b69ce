"""Accounts and the credentials handed out to them: unique canaries, kept over restarts.

Every secret starts with ``SIM-CANARY-`` (a bundle excepted, which is a signature) and exists
once, so that finding one in a log, a database or a crash dump proves a leak.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from m26.sim.ledger import Ledger

Kind = Literal["access", "refresh", "session", "code", "bundle", "proof", "cookie", "identity"]
Verdict = Literal["valid", "expired", "unknown"]
_AWKWARD = "/+=$*"
"""What real session keys contain and a URL path must not: clients have to percent-encode."""


@dataclass(frozen=True, slots=True)
class Account:
    """One player's account on one platform."""

    name: str
    platform: str
    blaze_id: int
    persona_id: int
    device_id: str


@dataclass(slots=True)
class Known:
    """What a request turns out to be while it is answered; kept also when it is refused."""

    account: str = ""
    platform: str = ""
    command: str = ""
    request_id: int | None = None

    def owner(self, account: Account | None) -> None:
        """Note whose request it is."""
        if account is not None:
            self.account, self.platform = account.name, account.platform


@dataclass(slots=True, kw_only=True)
class Lifetimes:
    """How long credentials are good for, seconds; may be changed while running."""

    session: float = 1_200
    access: float = 14_400
    refresh: float = 864_000
    code: float = 86_400
    bundle: float = 86_400
    accept_previous: bool = False
    """Whether a rotated refresh token is still good until its successor was used."""


@dataclass(slots=True)
class _Secret:
    value: str
    kind: str
    account: str
    at: float
    ended: float | None = None
    heir: str | None = None
    """The refresh token that came in place of this one."""


class Accounts:
    """All accounts and every secret that they were ever given."""

    def __init__(
        self, ledger: Ledger, names: Mapping[str, str], life: Lifetimes, clock: Callable[[], float]
    ) -> None:
        """Load what the ledger has; make those of `names` (name → platform) that are new."""
        self.life = life
        self.challenges: dict[str, str] = {}
        """Codes that need a proof (RFC 7636), and what was shown of it; lost by a restart."""
        self._ledger, self._clock = ledger, clock
        self.all = {row[0]: Account(*row) for row in ledger.rows("account")}
        self._secrets = {row[0]: _Secret(*row) for row in ledger.rows("secret")}
        for name, platform in names.items():
            if name not in self.all:
                self._open(name, platform)

    def issue(self, kind: Kind, account: Account, value: str = "") -> str:
        """A new secret of its kind, durable before it is returned."""
        unique = secrets.token_hex(16)
        if kind == "session":
            unique = f"{unique[:12]}{_AWKWARD}{unique[12:]}"
        value = value or f"SIM-CANARY-{kind.upper()}-{unique}"
        self._save(_Secret(value, kind, account.name, self._clock()))
        return value

    def check(self, kind: Kind, value: str) -> tuple[Verdict, Account | None]:
        """Whether a secret is good now, and whose it is."""
        secret = self._secrets.get(value)
        if secret is None or secret.kind != kind:
            return "unknown", None
        account = self.all[secret.account]
        lifetime: float = getattr(self.life, kind)
        if secret.at + lifetime <= self._clock():
            return "expired", account
        if secret.ended is not None and not self._superseded_only(secret):
            return "unknown", account
        return "valid", account

    def rotate(self, refresh: str) -> str:
        """The successor of a refresh token that is good; the token itself is spent."""
        spent = self._secrets[refresh]
        heir = self.issue("refresh", self.all[spent.account])
        spent.ended, spent.heir = self._clock(), heir
        self._save(spent)
        return heir

    def spend(self, value: str) -> None:
        """End one secret."""
        secret = self._secrets[value]
        secret.ended = self._clock()
        self._save(secret)

    def end_all(self, kind: Kind, account: Account | None = None) -> None:
        """End every secret of a kind, of one account or of all."""
        for secret in self._secrets.values():
            whose = account is None or secret.account == account.name
            if secret.kind == kind and secret.ended is None and whose:
                secret.ended = self._clock()
                self._save(secret)

    def _superseded_only(self, secret: _Secret) -> bool:
        if not self.life.accept_previous or secret.heir is None:
            return False
        heir = self._secrets[secret.heir]
        return heir.heir is None and heir.ended is None

    def _open(self, name: str, platform: str) -> None:
        ident = 1_000_000_000 + secrets.randbelow(1_000_000_000)
        device = f"SIM-CANARY-DEVICE-{secrets.token_hex(8)}"
        account = Account(name, platform, ident, ident + 1, device)
        self.all[name] = account
        row = (name, platform, account.blaze_id, account.persona_id, device)
        self._ledger.save("account", row)

    def _save(self, secret: _Secret) -> None:
        self._secrets[secret.value] = secret
        row = (secret.value, secret.kind, secret.account, secret.at, secret.ended, secret.heir)
        self._ledger.save("secret", row)
