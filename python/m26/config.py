"""Settings: command line > environment > the home's files > default, with origins."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from platformdirs import user_data_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from m26.addresses import postgres_address, redis_address
from m26.config_fields import Bytes, Count, Focus, Port
from m26.errors import ConfigError
from m26.safefile import refuse_others
from m26.tomlfile import read_toml

_PREFIX = "M26_"
CREDENTIAL: Final = "m26.vault.key"
"""Name of the systemd credential that holds the vault's key."""
FOCUS: Final = "focus.toml"
"""File of a home that ``m26 plan focus`` writes; ``config.toml`` counts before it."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Upstream(_Section):
    """Base URLs of the gateway, in place of the profile's."""

    oauth_url: str | None = None
    base_url: str | None = None


class Postgres(_Section):
    """The operator's own PostgreSQL; None starts the embedded one."""

    dsn: Annotated[SecretStr, AfterValidator(postgres_address)] | None = None


class Redis(_Section):
    """The operator's own Redis or Valkey; None starts the embedded one."""

    url: Annotated[SecretStr, AfterValidator(redis_address)] | None = None
    stream_maxlen: Count = 1_000_000


class Budget(_Section):
    """Requests of one account; None leaves the profile's figure."""

    per_day: Count | None = None
    per_minute: Count | None = None
    burst: Count | None = None


class Plan(_Section):
    """What is asked: what matters more than the rest."""

    focus: Focus = Field(default_factory=dict)


class Journal(_Section):
    """How many committed journal bytes are kept."""

    keep_bytes: Bytes = 2 * 2**30


class Rollups(_Section):
    """Whether this process keeps prices: buckets of sales, and the market as it is."""

    enabled: bool = True


class Web(_Section):
    """Where health, metrics and the page are served."""

    host: str = "127.0.0.1"
    port: Port = 8026
    token: Annotated[SecretStr, Field(min_length=1)] | None = None


class Vault(_Section):
    """Fernet key(s) of the vault, newest first, comma separated; None uses the key file."""

    key: SecretStr | None = None
    key_file: Path | None = None


class Log(_Section):
    """Level and form of the log on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] | None = None


class Settings(_Section):
    """All settings of one process. See docs/OPERATIONS.md for each key's meaning."""

    home: Path
    profile: str | None = None
    platform: str | None = None
    pg_bin: Path | None = None
    chromium: Path | None = None
    watchdog: Count = 60
    upstream: Upstream = Upstream()
    postgres: Postgres = Postgres()
    redis: Redis = Redis()
    budget: Budget = Budget()
    plan: Plan = Plan()
    journal: Journal = Journal()
    rollups: Rollups = Rollups()
    web: Web = Web()
    vault: Vault = Vault()
    log: Log = Log()


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings and, for each dotted key, where its value came from."""

    settings: Settings
    origins: Mapping[str, str]


def load(overrides: Mapping[str, Any] | None = None) -> Loaded:
    """Read all layers and check them.

    Args:
        overrides: dotted key → value from the command line; None values are not given.

    Raises:
        ConfigError: an unknown key (with the nearest known one), a value of the wrong form, or a
            home or file that others own or may write; the message never holds the value, which may
            be a secret.
    """
    layers = [
        {k: (v, "command line") for k, v in (overrides or {}).items() if v is not None},
        {
            name.removeprefix(_PREFIX).lower().replace("__", "."): (value, f"environment {name}")
            for name, value in os.environ.items()
            if name.startswith(_PREFIX)
        },
    ]
    for layer in layers:
        _check_names(layer)
    # `M26_WEB__TOKEN=` in an env file means "not set"; an empty token must never count as one.
    layers[1] = {key: item for key, item in layers[1].items() if item[0] != ""}
    home = next((layer["home"] for layer in layers if "home" in layer), None)
    if home is None:
        home = (user_data_path("m26", appauthor=False), "default")
    path = Path(home[0]).expanduser().absolute()
    refuse_others(path)
    layers += [_file_layer(path / name) for name in ("config.toml", FOCUS)]
    layers.append(_credential_layer(layers))
    merged = {key: value for layer in reversed(layers) for key, value in layer.items()}
    merged["home"] = (path, home[1])
    nested: dict[str, Any] = {}
    for key, (value, _) in merged.items():
        section, _, leaf = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[leaf] = value
    try:
        settings = Settings.model_validate(nested)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        origin = merged.get(key, ("", "default"))[1]
        why = first["msg"].removeprefix("Value error, ")
        raise ConfigError(
            f"setting {key} from {origin} is not valid: {why}",
            hint=f"Correct {environment_name(key)}, or unset it to use the default.",
        ) from None
    origins = {key: merged[key][1] if key in merged else "default" for key in every_key()}
    return Loaded(settings, origins)


def _check_names(layer: Mapping[str, tuple[object, str]]) -> None:
    known = tuple(every_key())
    for key, (_, origin) in layer.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"Did you mean {environment_name(near[0])} ({near[0]})?" if near else ""
            hint = hint or "`m26 config show` lists every key."
            raise ConfigError(f"unknown setting {key!r} from {origin}", hint=hint)


def _file_layer(path: Path) -> dict[str, tuple[object, str]]:
    try:
        document, text = read_toml(path)
    except FileNotFoundError:
        return {}
    values: dict[str, object] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            values.update({f"{key}.{leaf}": v for leaf, v in value.items()})
        else:
            values[key] = value
    known = set(every_key())
    # Unknown ones are told one at a time: a line is looked for in all of the text.
    unknown = [key for key in values if key not in known][:1]
    layer = {key: (values[key], f"{path}:{_line_of(key, text)}") for key in (unknown or values)}
    _check_names(layer)
    if "home" in layer:
        raise ConfigError(
            f"{layer['home'][1]} sets home, but it is the home that says where this file is",
            hint="Use M26_HOME or --home.",
        )
    return layer


def credentials_folder() -> Path | None:
    """Where the service manager put credentials for this process alone; None without one."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(folder) if folder else None


def service_manager() -> str | None:
    """Address of the socket at which the service manager wants to hear of us; None without one."""
    address = os.environ.get("NOTIFY_SOCKET")
    return address.replace("@", "\0", 1) if address else None


def _credential_layer(
    layers: list[dict[str, tuple[object, str]]],
) -> dict[str, tuple[object, str]]:
    """The vault's key as the service manager handed it over, where no setting names another one."""
    folder = credentials_folder()
    named = any(not {"vault.key", "vault.key_file"}.isdisjoint(layer) for layer in layers)
    if folder is None or named or not os.access(folder / CREDENTIAL, os.F_OK):
        return {}
    return {"vault.key_file": (folder / CREDENTIAL, f"systemd credential {CREDENTIAL}")}


def _line_of(key: str, text: str) -> int:
    """Line of a dotted key in a TOML text; of its table where it stands inline."""
    table, found = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", line)
        assigned = re.match(r"\s*([\w-]+(?:\s*\.\s*[\w-]+)*)\s*=", line)
        if header:
            table = header[1] + "."
            if f"{key}.".startswith(table):
                found = number
            elif table.startswith(f"{key}."):
                return number
        elif assigned:
            name = table + re.sub(r"\s", "", assigned[1])
            if name == key:
                return number
            if key.startswith(name + "."):
                found = number
    return found


def every_key() -> Iterator[str]:
    """Every dotted key, in the order of the model."""
    for name, field in Settings.model_fields.items():
        section = _section(field.annotation)
        if section is None:
            yield name
        else:
            yield from (f"{name}.{leaf}" for leaf in section.model_fields)


def _section(annotation: object) -> type[_Section] | None:
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, _Section):
            return kind
    return None


def color_allowed() -> bool:
    """Whether the terminal has colours, and the user wants them (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def environment_name(key: str) -> str:
    """The environment variable of a dotted key."""
    return _PREFIX + key.upper().replace(".", "__")


def shown(settings: Settings, key: str) -> str | int | None:
    """The value of a dotted key for a person to see: secrets as ``***``."""
    value: object = settings
    for part in key.split("."):
        value = getattr(value, part)
    if isinstance(value, SecretStr):
        return "***"
    return value if isinstance(value, int | None) else str(value)
