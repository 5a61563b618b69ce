"""Profiles: everything about the upstream that varies by year or platform, as data."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from m26.errors import ConfigError
from m26.redaction import register_secret

_OVERLAY = "profile.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """The token endpoint and the client that it knows us as."""

    base_url: str
    redirect_uri: str
    authentication_source: str
    release_type: str = "prod"
    client_id: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)
    cookies: bool = False
    """Cookies of this host are sent back to it."""
    machine_profile_key: str = ""
    """Sent with the address of a login where the client asks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wal:
    """The JSON-over-HTTP gateway and the headers it expects."""

    base_url: str
    product_name: str
    blaze_id: str
    application_key: str
    user_agent: str
    legacy_tls: bool = False
    cookies: bool = False
    """Cookies of this host are sent back to it."""
    device_id: str = field(default="", repr=False)
    """Device that signed requests name; one from a capture goes before it."""


@dataclass(frozen=True, slots=True)
class Command:
    """One Blaze command of the ``mut`` component."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Constants of message signing (protocol.md: S, K, C); empty where only bundles are used."""

    static_data: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    code_secret: str = field(default="", repr=False)
    auth_type: int = 17039361


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How a search is continued: not at all, by URL parameters, or in the payload."""

    mode: str = "none"
    count: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimits:
    """Gateway requests of one account, logins and retries included."""

    per_day: int
    per_minute: int
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRules:
    """What of a card belongs to the physical copy, and the names of positions."""

    per_copy: tuple[str, ...] = ()
    positions: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One upstream: a game year's endpoints, ids, constants and limits."""

    name: str
    year: int
    platforms: tuple[str, ...]
    oauth: OAuth
    wal: Wal
    commands: Mapping[str, Command]
    signing: Signing
    paging: Paging
    budget: BudgetLimits
    card: CardRules

    @classmethod
    def load(cls, name_or_path: str, *, home: Path | None = None) -> Self:
        """Read a shipped profile by name, or a TOML file by path, under the operator's overlay.

        Args:
            name_or_path: ``madden26``, ``sim`` or a path ending in ``.toml``.
            home: folder whose ``profile.toml`` is laid over the profile, if it is there.

        Raises:
            ConfigError: no such profile, not TOML, unknown or missing fields, or an overlay that
                other users can read.
        """
        document = _read(name_or_path)
        overlay = home / _OVERLAY if home is not None else None
        if overlay is not None and overlay.exists():
            if stat.S_IMODE(overlay.stat().st_mode) & 0o077:
                raise ConfigError(
                    f"{overlay} can be read by other users and may hold secrets",
                    hint=f"Run: chmod 600 {overlay}",
                )
            document = _merge(document, _parse(overlay, overlay.read_bytes()))
        return cls._from(document, name_or_path)

    @classmethod
    def _from(cls, document: dict[str, Any], where: str) -> Self:
        def section(kind: type[Any], name: str) -> Any:  # noqa: ANN401 - one of the classes above
            return _build(kind, document.get(name, {}), f"{where}: [{name}]")

        card = dict(document.get("card", {}))
        card["per_copy"] = tuple(card.get("per_copy", ()))
        card["positions"] = {int(k): v for k, v in card.get("positions", {}).items()}
        top = {k: document.get(k) for k in ("name", "year", "platforms")}
        missing = [k for k, v in top.items() if v is None]
        if missing:
            raise ConfigError(f"{where}: {missing[0]} is missing", hint="See docs/PROTOCOL.md.")
        profile = cls(
            name=str(top["name"]),
            year=int(document["year"]),
            platforms=tuple(document["platforms"]),
            oauth=section(OAuth, "oauth"),
            wal=section(Wal, "wal"),
            commands={
                k: _build(Command, v, f"{where}: [commands] {k}")
                for k, v in document.get("commands", {}).items()
            },
            signing=section(Signing, "signing"),
            paging=section(Paging, "paging"),
            budget=section(BudgetLimits, "budget"),
            card=_build(CardRules, card, f"{where}: [card]"),
        )
        profile._mask()
        return profile

    def _mask(self) -> None:
        """Keep the operator's own secrets out of every later log line."""
        oauth, signing = self.oauth, self.signing
        for secret in (oauth.client_id, oauth.client_secret, self.wal.device_id):
            register_secret(secret)
        for secret in (signing.static_data, signing.key, signing.code_secret):
            register_secret(secret)

    def product_name(self, platform: str) -> str:
        """``productName`` of the login for one platform."""
        return self.wal.product_name.format(year=self.year, platform=platform)

    def blaze_id(self, platform: str) -> str:
        """``X-BLAZE-ID`` of every gateway request for one platform."""
        return self.wal.blaze_id.format(year=self.year, platform=platform)


def _read(name_or_path: str) -> dict[str, Any]:
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        try:
            return _parse(path, path.read_bytes())
        except OSError as error:
            raise ConfigError(
                f"cannot read profile {path}: {error.strerror}", hint="Check M26_PROFILE."
            ) from None
    shipped = files("m26") / "profiles"
    resource = shipped / f"{name_or_path}.toml"
    if not resource.is_file():
        names = sorted(p.name.removesuffix(".toml") for p in shipped.iterdir())
        raise ConfigError(
            f"no profile named {name_or_path!r}",
            hint=f"Shipped ones: {', '.join(names)}; or give the path of a .toml file.",
        )
    return _parse(name_or_path, resource.read_bytes())


def _parse(where: object, data: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{where} is not valid TOML: {error}", hint="Correct the file.") from None


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _build(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"{where} has an unknown field {unknown[0]!r}",
            hint=f"Known: {', '.join(sorted(known))}.",
        )
    for f in fields(kind):
        if f.type == "bool" and not isinstance(values.get(f.name, False), bool):
            raise ConfigError(
                f"{where} {f.name} is neither true nor false", hint="Write it without quotes."
            )
    try:
        return kind(**values)
    except TypeError as error:
        raise ConfigError(f"{where} is incomplete: {error}", hint="See docs/PROTOCOL.md.") from None
