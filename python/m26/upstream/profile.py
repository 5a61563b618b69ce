"""Profiles: everything about the upstream that varies by year or platform, as data."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from m26.errors import ConfigError
from m26.redaction import register_secret
from m26.tomlfile import parse_toml, read_toml
from m26.upstream.secret import LENGTH

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
    pkce: bool = False
    """The flow takes a proof that the code goes to whoever asked for it (RFC 7636)."""
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

    id: Annotated[int, range(1, 2**31)]
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Constants of message signing (protocol.md: S, K, C); empty where only bundles are used."""

    static_data: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    code_secret: str = field(default="", repr=False)
    auth_type: Annotated[int, range(2**32)] = 17039361


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """How a search is continued: not at all, by URL parameters, or in the payload."""

    mode: Annotated[str, ("none", "url", "payload")] = "none"
    count: Annotated[int, range(1, 1_001)] = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimits:
    """Gateway requests of one account, logins and retries included."""

    per_day: Annotated[int, range(1, 1_000_001)]
    per_minute: Annotated[int, range(1, 10_001)]
    burst: Annotated[int, range(1, 1_001)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRules:
    """What of a card belongs to the physical copy, and the names of positions."""

    per_copy: tuple[str, ...] = ()
    positions: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One upstream: a game year's endpoints, ids, constants and limits."""

    name: str
    year: Annotated[int, range(2000, 2100)]
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
            ConfigError: no such profile, not TOML, unknown or missing fields, fields of another
                type, a file that others own or may write, or an overlay that they can read.
        """
        document = _read(name_or_path)
        overlay = home / _OVERLAY if home is not None else None
        if overlay is not None and overlay.exists():
            if stat.S_IMODE(overlay.stat().st_mode) & 0o077:
                raise ConfigError(
                    f"{overlay} can be read by other users and may hold secrets",
                    hint=f"Run: chmod 600 {overlay}",
                )
            document = _merge(document, _of_operator(overlay))
        return cls._from(document, name_or_path)

    @classmethod
    def _from(cls, document: dict[str, Any], where: str) -> Self:
        def section(kind: type[Any], name: str) -> Any:  # noqa: ANN401 - one of the classes above
            return _build(kind, _table(document, name, where), f"{where}: [{name}]")

        missing = next((k for k in ("name", "year", "platforms") if document.get(k) is None), None)
        if missing is not None:
            raise ConfigError(f"{where}: {missing} is missing", hint="See docs/PROTOCOL.md.")
        card = dict(_table(document, "card", where))
        card["per_copy"] = _tuple(card.get("per_copy", []))
        card["positions"] = _numbered(_table(card, "positions", f"{where}: [card]"))
        commands = _table(document, "commands", where)
        profile = cls(
            **_typed(
                cls,
                {
                    "name": document["name"],
                    "year": document["year"],
                    "platforms": _tuple(document["platforms"]),
                },
                where,
            ),
            oauth=section(OAuth, "oauth"),
            wal=section(Wal, "wal"),
            commands={
                k: _build(Command, _table(commands, k, where), f"{where}: [commands] {k}")
                for k in commands
            },
            signing=section(Signing, "signing"),
            paging=section(Paging, "paging"),
            budget=section(BudgetLimits, "budget"),
            card=_build(CardRules, card, f"{where}: [card]"),
        )
        profile._check_names(where)
        profile._mask()
        return profile

    def _check_names(self, where: str) -> None:
        """Names of products are made of year and platform, and of nothing else."""
        for name in (self.wal.product_name, self.wal.blaze_id):
            if set("{}") & set(name.replace("{year}", "").replace("{platform}", "")):
                raise ConfigError(
                    f"{where}: [wal] product_name or blaze_id is no pattern",
                    hint="Use {year} and {platform}, and no other braces.",
                )
        if not self.platforms:
            raise ConfigError(f"{where}: platforms is empty", hint="See docs/PROTOCOL.md.")

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

    @property
    def hosts(self) -> frozenset[str]:
        """Whom it asks."""
        urls = self.oauth.base_url, self.wal.base_url
        return frozenset(host for url in urls if (host := urlsplit(url).hostname))


def _read(name_or_path: str) -> dict[str, Any]:
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        try:
            return _of_operator(path)
        except FileNotFoundError as error:
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
    return parse_toml(name_or_path, resource.read_bytes())[0]


def _of_operator(path: Path) -> dict[str, Any]:
    return read_toml(path)[0]


def _table(document: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise ConfigError(f"{where}: {name} is no table", hint="See docs/PROTOCOL.md.")
    return found


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _numbered(table: Mapping[str, Any]) -> dict[object, Any]:
    return {int(k) if re.fullmatch("[0-9]{1,9}", k) else k: v for k, v in table.items()}


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
    try:
        return kind(**_typed(kind, values, where))
    except TypeError as error:
        raise ConfigError(f"{where} is incomplete: {error}", hint="See docs/PROTOCOL.md.") from None


def _typed(kind: type[Any], values: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The values, if each is of its field's type and among what that may be."""
    hints = get_type_hints(kind, include_extras=True)
    for name, value in values.items():
        hint, among = hints[name], None
        if get_origin(hint) is Annotated:
            hint, among = get_args(hint)
        if not _is_of(value, hint):
            wanted, found = getattr(hint, "__name__", "table"), type(value).__name__
            why = f"is of type {found}, not {wanted}"
        elif among is not None and value not in among:
            why = f"is {value!r}, not {_one_of(among)}"
        elif isinstance(value, str) and (len(value) > LENGTH or not _is_printable(value)):
            why = "is too long, or no printable ASCII: it becomes part of requests"
        else:
            continue
        raise ConfigError(f"{where}: {name} {why}", hint="See docs/PROTOCOL.md.")
    return values


def _one_of(among: range | tuple[str, ...]) -> str:
    if isinstance(among, range):
        return f"{among[0]:,} to {among[-1]:,}"
    return " or ".join(map(repr, among))


def _is_printable(text: str) -> bool:
    return text.isascii() and (text.isprintable() or not text)


def _is_of(value: object, hint: Any) -> bool:  # noqa: ANN401 - a type, or what stands for one
    inner = get_args(hint)
    if isinstance(value, tuple):
        return bool(inner) and all(_is_of(item, inner[0]) for item in value)
    if isinstance(value, dict):
        return len(inner) == 2 and all(  # noqa: PLR2004 - of keys and of values
            _is_of(key, inner[0]) and _is_of(item, inner[1]) for key, item in value.items()
        )
    return type(value) is hint
