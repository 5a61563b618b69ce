"""What the simulator's own profile file says, read apart from the client's code."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """The upstream's side of ``profiles/sim.toml``."""

    year: int
    platforms: tuple[str, ...]
    client_id: str
    client_secret: str
    redirect_uri: str
    authentication_source: str
    release_type: str
    product_name: str
    blaze_id: str
    application_key: str
    user_agent: str
    commands: dict[int, str]
    """commandId → commandName."""
    search: str
    refresh: str
    bids: str
    static_data: str
    key: bytes
    code_secret: bytes
    auth_type: int


def load() -> Constants:
    """Read the shipped file; its form is the project's own, so nothing of it is checked."""
    text = (files("m26") / "profiles" / "sim.toml").read_text("utf-8")
    profile = tomllib.loads(text)
    oauth, wal, signing = profile["oauth"], profile["wal"], profile["signing"]
    commands = profile["commands"]
    return Constants(
        year=profile["year"],
        platforms=tuple(profile["platforms"]),
        client_id=oauth["client_id"],
        client_secret=oauth["client_secret"],
        redirect_uri=oauth["redirect_uri"],
        authentication_source=oauth["authentication_source"],
        release_type=oauth["release_type"],
        product_name=wal["product_name"],
        blaze_id=wal["blaze_id"],
        application_key=wal["application_key"],
        user_agent=wal["user_agent"],
        commands={command["id"]: command["name"] for command in commands.values()},
        search=commands["search"]["name"],
        refresh=commands["refresh"]["name"],
        bids=commands["bids"]["name"],
        static_data=signing["static_data"],
        key=bytes.fromhex(signing["key"]),
        code_secret=bytes.fromhex(signing["code_secret"]),
        auth_type=signing["auth_type"],
    )
