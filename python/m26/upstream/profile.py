"""Profiles: everything about the upstream that varies by year or platform, as data."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from m26.errors import ConfigError
from m26.redaction import register_secret
from m26.tomlfile import parse_toml, read_toml
from m26.upstream.fields import as_tuple, build, merge, table, typed

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
class Pins:
    """What the operator knows of the upstream; what is None is learned."""

    order: Annotated[str | None, ("newest", "ending", "none", "random")] = None
    paging: bool | None = None
    page: Annotated[int | None, range(1, 10_001)] = None
    truncate: Annotated[int | None, range(10_000_001)] = None
    """Auctions of a list that can be reached; 0: all."""
    batch: Annotated[int | None, range(1, 10_001)] = None
    ended: Annotated[str | None, ("full", "omitted", "error")] = None
    recall: Annotated[int | None, range(2**31)] = None
    """Seconds; 0: for ever."""
    visible: bool | None = None
    ended_price: Annotated[str | None, ("final", "last_bid")] = None


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
    upstream: Pins
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
            document = merge(document, _of_operator(overlay))
        return cls._from(document, name_or_path)

    @classmethod
    def _from(cls, document: dict[str, Any], where: str) -> Self:
        def section(kind: type[Any], name: str) -> Any:  # noqa: ANN401 - one of the classes above
            return build(kind, table(document, name, where), f"{where}: [{name}]")

        missing = next((k for k in ("name", "year", "platforms") if document.get(k) is None), None)
        if missing is not None:
            raise ConfigError(f"{where}: {missing} is missing", hint="See docs/PROTOCOL.md.")
        card = dict(table(document, "card", where))
        card["per_copy"] = as_tuple(card.get("per_copy", []))
        card["positions"] = _numbered(table(card, "positions", f"{where}: [card]"))
        commands = table(document, "commands", where)
        profile = cls(
            **typed(
                cls,
                {
                    "name": document["name"],
                    "year": document["year"],
                    "platforms": as_tuple(document["platforms"]),
                },
                where,
            ),
            oauth=section(OAuth, "oauth"),
            wal=section(Wal, "wal"),
            commands={
                k: build(Command, table(commands, k, where), f"{where}: [commands] {k}")
                for k in commands
            },
            signing=section(Signing, "signing"),
            paging=section(Paging, "paging"),
            upstream=section(Pins, "upstream"),
            budget=section(BudgetLimits, "budget"),
            card=build(CardRules, card, f"{where}: [card]"),
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
        if self.upstream.paging and self.paging.mode == "none":
            raise ConfigError(
                f"{where}: [upstream] paging is true, but [paging] says not how",
                hint='Set [paging] mode to "url" or "payload".',
            )

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
    def pins(self) -> dict[str, str]:
        """What of the upstream need not be learned, by flag."""
        given = asdict(self.upstream)
        if self.paging.mode == "none":
            given["paging"] = False
        return {
            flag: str(value).lower() if isinstance(value, bool) else str(value)
            for flag, value in given.items()
            if value is not None
        }

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


def _numbered(table: Mapping[str, Any]) -> dict[object, Any]:
    return {int(k) if re.fullmatch("[0-9]{1,9}", k) else k: v for k, v in table.items()}
